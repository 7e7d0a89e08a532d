/* Where the connections of a loop are found: by slot, and by the generation that tells a stale name. */
#ifndef ENGINE_SLOTS_H
#define ENGINE_SLOTS_H

#include <parley.h>

struct slot {
    parley_conn *conn; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct slots {
    struct slot *items;
    uint32_t room, free;
    uint32_t first_generation;
};

enum { NO_SLOT = UINT32_MAX, MOST_SLOTS = 1 << 20, GENERATIONS = 0xffffff };

/* A free slot for `conn`, or NO_SLOT without memory. */
uint32_t slots_take(struct slots *slots, parley_conn *conn);
void slots_give_back(struct slots *slots, uint32_t slot);
/* The connection of that slot and generation, or NULL if it has gone. */
static inline parley_conn *slots_find(const struct slots *slots, uint32_t slot, uint32_t generation)
{
    if (slot >= slots->room || slots->items[slot].generation != generation)
        return NULL;
    return slots->items[slot].conn;
}
/* The first connection from slot `*from` on, NULL at the end; `*from` is then the slot behind it. */
parley_conn *slots_next(const struct slots *slots, uint32_t *from);

#endif
