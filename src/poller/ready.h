/* What the readiness pollers (select, poll, epoll) share: the calls made once a descriptor is ready. */
#ifndef POLLER_READY_H
#define POLLER_READY_H

#include "base/sys.h"
#include "engine/loop.h"

/* Accepts who waits: one, if other workers would take the next; else as many as came of late. */
void ready_accept(struct loop *loop, struct listener *listener);
/* recv brought nothing: reports why. True: it was interrupted, and is to be called again. */
bool ready_received_nothing(parley_conn *conn, ssize_t size);
/* One recv into the loop's buffer, reported. False: nothing more for now (short read, EAGAIN, the end). */
static inline bool ready_receive(parley_conn *conn)
{
    const struct loop *loop = conn->loop;
    ssize_t size = sys.recv(conn->fd, loop->buffer, loop->buffer_size, 0);
    if (size <= 0)
        return ready_received_nothing(conn, size);
    conn_received(conn, loop->buffer, (size_t)size);
    return size == (ssize_t)loop->buffer_size;
}
/* There is room to send: one that was connecting is established. Sends what is queued until the kernel takes
 * no more; conn->blocked says that it did not take all. */
void ready_send(parley_conn *conn);

/* Room in the socket will tell when to send again. To a starved one it tells nothing: there is room all the
 * while, and asking for it would make the loop spin. */
static inline bool conn_awaits_room(const parley_conn *conn)
{
    return conn->blocked && !conn->starved;
}

/* A time to sleep, in ns, for a call that takes ms: rounded up, so that no loop spins before a deadline. */
static inline int ready_ms(int64_t timeout)
{
    int64_t ms = timeout < 0 ? -1 : timeout / 1000000 + (timeout % 1000000 > 0);
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}
static inline bool ready_is_whole_ms(int64_t timeout)
{
    return timeout < 0 || timeout % 1000000 == 0;
}

/* The kernel reports an error on a connection that does not read, so no call of its own would learn of it. */
void ready_error(parley_conn *conn);
/* The same where the kernel does not report: asks whether there is one. */
void ready_look(parley_conn *conn);

#endif
