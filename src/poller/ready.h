/* What the readiness pollers (select, poll, epoll) share: the calls made once a descriptor is ready. */
#ifndef POLLER_READY_H
#define POLLER_READY_H

#include "engine/loop.h"

/* Accepts who waits: one, if other workers would take the next; else as many as came of late. */
void ready_accept(struct loop *loop, struct listener *listener);
/* One recv into the loop's buffer, reported. False: nothing more for now (short read, EAGAIN, the end). */
bool ready_receive(parley_conn *conn);
/* Sends what is queued until the kernel takes no more; conn->blocked says that it did not take all. */
void ready_send(parley_conn *conn);

/* Room in the socket will tell when to send again. To a starved one it tells nothing: there is room all the
 * while, and asking for it would make the loop spin. */
static inline bool conn_awaits_room(const parley_conn *conn)
{
    return conn->blocked && !conn->starved;
}

/* The kernel reports an error on a connection that does not read, so no call of its own would learn of it.
 * select cannot tell: there, deadlines alone find such a peer. */
void ready_error(parley_conn *conn);

#endif
