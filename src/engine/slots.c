#include "engine/slots.h"
#include "base/sys.h"
#include <string.h>

/* ---- an item that is free is out of bounds, but for its slot ---- */

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define FORBID(bytes, size) ASAN_POISON_MEMORY_REGION(bytes, size)
#define ALLOW(bytes, size) ASAN_UNPOISON_MEMORY_REGION(bytes, size)
#elif !defined(NDEBUG) && __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define FORBID(bytes, size) VALGRIND_MAKE_MEM_NOACCESS(bytes, size)
#define ALLOW(bytes, size) VALGRIND_MAKE_MEM_UNDEFINED(bytes, size)
#else
#define FORBID(bytes, size) ((void)(bytes), (void)(size))
#define ALLOW(bytes, size) ((void)(bytes), (void)(size))
#endif

/* ---- */

void slots_open(struct slots *slots, size_t size, uint32_t first_generation)
{
    *slots = (struct slots){.size = size, .free = NO_SLOT, .first_generation = first_generation};
}

void slots_close(struct slots *slots)
{
    for (uint32_t i = 0; i < slots->chunk_count; i++)
        sys.free(slots->chunks[i]);
    sys.free(slots->chunks);
    slots_open(slots, slots->size, slots->first_generation);
}

/* The table of chunks doubles: it is full whenever their count is a power of two. */
static int make_room_for_chunk(struct slots *slots)
{
    uint32_t count = slots->chunk_count;
    if (count & (count - 1))
        return 0;
    unsigned char **chunks = sys.realloc(slots->chunks, (count ? count * (size_t)2 : 1) * sizeof *chunks);
    if (!chunks)
        return -1;
    slots->chunks = chunks;
    return 0;
}

static int add_chunk(struct slots *slots)
{
    if (slots->used == MOST_SLOTS || make_room_for_chunk(slots) < 0)
        return -1;
    unsigned char *chunk = sys.malloc(SLOTS_OF_CHUNK * slots->size);
    if (!chunk)
        return -1;
    slots->chunks[slots->chunk_count++] = chunk;
    return 0;
}

static struct slot *reuse(struct slots *slots)
{
    uint32_t number = slots->free;
    struct slot *slot = slots_at(slots, number);
    slots->free = slot->number;
    *slot = (struct slot){slot->generation & ~FREE_SLOT, number};
    return slot;
}

static struct slot *use_first(struct slots *slots)
{
    if (slots->used == slots->chunk_count * SLOTS_OF_CHUNK && add_chunk(slots) < 0)
        return NULL;
    uint32_t number = slots->used++;
    struct slot *slot = slots_at(slots, number);
    *slot = (struct slot){slots->first_generation, number};
    return slot;
}

void *slots_take(struct slots *slots)
{
    struct slot *slot = slots->free != NO_SLOT ? reuse(slots) : use_first(slots);
    size_t behind = slots->size - sizeof *slot;
    if (!slot)
        return NULL;
    ALLOW(slot + 1, behind);
    memset(slot + 1, 0, behind);
    return slot;
}

void slots_give_back(struct slots *slots, struct slot *slot)
{
    uint32_t number = slot->number;
    /* From 1 again: the name of worker 0, slot 0, generation 0 would be the one that names none. */
    *slot = (struct slot){(slot->generation % GENERATIONS + 1) | FREE_SLOT, slots->free};
    slots->free = number;
    FORBID(slot + 1, slots->size - sizeof *slot);
}

void *slots_next(const struct slots *slots, uint32_t *from)
{
    while (*from < slots->used) {
        struct slot *slot = slots_at(slots, (*from)++);
        if (!(slot->generation & FREE_SLOT))
            return slot;
    }
    return NULL;
}
