/* The seam: how a loop learns of bytes. Cut at moving bytes, not at readiness, so that io_uring's
 * completions and the plain blocking calls are pollers like the others.
 *
 * A poller decides nothing and frees nothing. Its verbs come from the engine, in the worker's own thread:
 * `sleep` and `report` once a turn, the others whenever a wish may have changed. Its reports go up through
 * the functions of engine/loop.h:
 *
 *     loop_accepted  loop_accept_failed  conn_connected  conn_received  conn_ended  conn_sent  conn_failed
 *     watch->readable
 *
 * and it reads what the engine wants from conn_wants_input(), conn_has_output(), conn->connecting,
 * listener->wanted and watch->wanted. Received bytes are lent for the call. Queued bytes do not move while
 * conn->held counts an operation on them. */
#ifndef POLLER_POLLER_H
#define POLLER_POLLER_H

#include <parley.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct listener;
struct watch;

struct poller {
    const char *name;
    unsigned capacity; /* most connections at once; 0: any. blocking 1 */
    bool nonblocking;  /* its descriptors carry O_NONBLOCK; io_uring and blocking want them without */
    bool connects;     /* starts connecting itself, in update(): io_uring; for the others it has been done */
    bool deaf;         /* cannot be woken or watch other descriptors: blocking */
    int descriptors;   /* takes descriptors below this number only; 0: any. select FD_SETSIZE */

    /* Whether this machine lets us: 0, or a parley_status with its sentence. NULL: always. */
    int (*check)(void);
    /* Makes loop->poller_state. After fork, in the worker's own thread. 0, or a parley_status with its
     * sentence. */
    int (*open)(struct loop *loop);
    /* No connection is left and nothing is held. */
    void (*close)(struct loop *loop);
    /* Makes the kernel agree with listener->wanted. Idempotent. */
    void (*listen)(struct loop *loop, struct listener *listener);
    /* Makes the kernel agree with watch->wanted. Idempotent; NULL when deaf. Level-triggered: readable again
     * is reported again. */
    void (*watch)(struct loop *loop, struct watch *watch);
    /* Makes the kernel agree with what the connection wants: sends or starts sending what is queued,
     * receives or stops receiving. Idempotent. When conn->dead: forget it, and see that every
     * operation it holds comes back soon. May report conn_sent and conn_failed from inside. */
    void (*update)(struct loop *loop, parley_conn *conn);
    /* Waits at most `timeout` ns (-1 for ever, 0 not at all) for something to report, and returns a number
     * for report(); 0: nothing; -1 and errno: it could not wait. EINTR is no failure of that kind. */
    int (*sleep)(struct loop *loop, int64_t timeout);
    /* Reports what sleep() found. */
    void (*report)(struct loop *loop, int count);
    /* In a forked child: closes the descriptor of the parent's poller, and touches nothing else. NULL: none.
     */
    void (*forget)(struct loop *loop);
};

extern const struct poller poller_blocking, poller_select, poller_poll, poller_epoll, poller_uring;

#endif
