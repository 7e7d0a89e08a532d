/* The connections of a loop: items of one size, in chunks that never move, found by slot and by the
 * generation that tells a stale name.
 *
 * An item costs neither an allocation of its own nor a place in a table. Chunks are kept until the loop
 * closes: the generations in them must outlive the connections that they name. */
#ifndef ENGINE_SLOTS_H
#define ENGINE_SLOTS_H

#include <stddef.h>
#include <stdint.h>

/* What an item begins with. */
struct slot {
    uint32_t generation; /* of who has the item; with FREE_SLOT: of who will have it next */
    uint32_t number;     /* of the item; while it is free, of the next free one */
};

struct slots {
    unsigned char **chunks;
    size_t size; /* of an item */
    uint32_t chunk_count;
    uint32_t used; /* items that were taken at least once: they come first */
    uint32_t free;
    uint32_t first_generation;
};

enum { SLOTS_OF_CHUNK = 64, MOST_SLOTS = 1 << 20, GENERATIONS = 0xffffff };
#define NO_SLOT UINT32_MAX
#define FREE_SLOT (UINT32_C(1) << 31)

/* Items of `size` bytes, which is a multiple of 8. */
void slots_open(struct slots *slots, size_t size, uint32_t first_generation);
void slots_close(struct slots *slots);

/* An item, zeroed but for its slot; NULL without memory. */
void *slots_take(struct slots *slots);
/* Touching the item from here on is an error, which AddressSanitizer and, in Debug builds, valgrind report.
 */
void slots_give_back(struct slots *slots, struct slot *slot);

static inline struct slot *slots_at(const struct slots *slots, uint32_t number)
{
    return (struct slot *)(void *)(slots->chunks[number / SLOTS_OF_CHUNK] +
                                   number % SLOTS_OF_CHUNK * slots->size);
}
/* The item of that number and generation, or NULL if it has gone. */
static inline void *slots_find(const struct slots *slots, uint32_t number, uint32_t generation)
{
    if (number >= slots->used || slots_at(slots, number)->generation != generation)
        return NULL;
    return slots_at(slots, number);
}
/* The first item in use from `*from` on, NULL at the end; `*from` is then the number behind it. */
void *slots_next(const struct slots *slots, uint32_t *from);

#endif
