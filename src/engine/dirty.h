/* The connections that settle is to look at, the oldest first.
 *
 * A ring beside them, since a link in each would cost all of them what only few need. A connection stands in
 * it once at most, so that room for all there are is enough; it is made when one is adopted, and marking
 * cannot fail. Places that none has been in are not touched: the kernel gives no memory for them. */
#ifndef ENGINE_DIRTY_H
#define ENGINE_DIRTY_H

#include <parley.h>

struct dirty {
    parley_conn **ring;
    uint32_t first, count, room; /* room: a power of two, or 0 */
};

/* Makes room for `total` connections in all: 0, or -1 without memory. */
int dirty_reserve(struct dirty *dirty, uint32_t total);
void dirty_close(struct dirty *dirty);

static inline void dirty_put(struct dirty *dirty, parley_conn *conn)
{
    dirty->ring[(dirty->first + dirty->count++) & (dirty->room - 1)] = conn;
}
/* Of one that is not empty. Emptied, it begins anew where its memory has been touched. */
static inline parley_conn *dirty_take(struct dirty *dirty)
{
    parley_conn *conn = dirty->ring[dirty->first];
    dirty->first = --dirty->count > 0 ? (dirty->first + 1) & (dirty->room - 1) : 0;
    return conn;
}

#endif
