#include "engine/dirty.h"
#include "base/sys.h"

enum { FIRST_ROOM = 64 };

int dirty_reserve(struct dirty *dirty, uint32_t total)
{
    struct dirty larger = {.room = FIRST_ROOM};
    if (total <= dirty->room)
        return 0;
    while (larger.room < total)
        larger.room *= 2;
    larger.ring = sys.malloc(larger.room * sizeof(parley_conn *));
    if (!larger.ring)
        return -1;
    while (dirty->count > 0)
        dirty_put(&larger, dirty_take(dirty));
    sys.free(dirty->ring);
    *dirty = larger;
    return 0;
}

void dirty_close(struct dirty *dirty)
{
    sys.free(dirty->ring);
    *dirty = (struct dirty){0};
}
