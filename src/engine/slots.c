#include "engine/slots.h"
#include "engine/sys.h"

static int grow(struct slots *slots)
{
    uint32_t room = slots->room ? slots->room * 2 : 64;
    struct slot *items = room > MOST_SLOTS ? NULL : sys.realloc(slots->items, room * sizeof *items);
    if (!items)
        return -1;
    for (uint32_t i = slots->room; i < room; i++)
        items[i] =
            (struct slot){.generation = slots->first_generation, .next_free = i + 1 < room ? i + 1 : NO_SLOT};
    slots->free = slots->room;
    slots->items = items;
    slots->room = room;
    return 0;
}

uint32_t slots_take(struct slots *slots, parley_conn *conn)
{
    if (slots->free == NO_SLOT && grow(slots) < 0)
        return NO_SLOT;
    uint32_t taken = slots->free;
    slots->free = slots->items[taken].next_free;
    slots->items[taken].conn = conn;
    return taken;
}

void slots_give_back(struct slots *slots, uint32_t slot)
{
    struct slot *item = &slots->items[slot];
    item->conn = NULL;
    /* From 1 again: the name of worker 0, slot 0, generation 0 would be the one that names none. */
    item->generation = item->generation % GENERATIONS + 1;
    item->next_free = slots->free;
    slots->free = slot;
}

parley_conn *slots_next(const struct slots *slots, uint32_t *from)
{
    while (*from < slots->room) {
        parley_conn *conn = slots->items[(*from)++].conn;
        if (conn)
            return conn;
    }
    return NULL;
}
