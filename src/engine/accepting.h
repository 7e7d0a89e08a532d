/* The listening sockets of a loop: when it accepts, and when it lets another worker go first. Of the worker's
 * own thread alone. */
#ifndef ENGINE_ACCEPTING_H
#define ENGINE_ACCEPTING_H

#include "engine/timer.h"
#include "net/address.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;

/* Whether a worker gives way to another, and what it is ahead in: the clients that it has now, or all it
 * took. */
enum way { WAY_NONE, WAY_HELD, WAY_TAKEN };

/* A loop's view of a listening socket. The descriptor belongs to the server. */
struct listener {
    int fd;
    struct door *door;           /* what counts for who comes by it */
    bool wanted;                 /* by the loop: accept now; the poller obeys */
    bool shared;                 /* other workers accept from the same socket */
    unsigned polled;             /* the poller's own note: what the kernel was told */
    unsigned burst, full_bursts; /* how many came at once of late: the readiness pollers' */
    unsigned refusals;           /* accept failures in a row, for the back-off */
    struct timer again;          /* when to accept again after a failure */
    enum way way;                /* sharing.c: lets another worker go first, */
    unsigned to, its;            /* this one, which had taken so many, */
    int64_t until;               /* ms: but no longer than this */
    char address[ADDRESS_TEXT];
};

/* ---- accepting.c ---- */

/* The listeners of this loop. */
int accepting_open(struct loop *loop);
void accepting_close(struct loop *loop);
/* Accepts or pauses, as the places left and the back-off say; makes the poller agree. */
void accepting_update(struct loop *loop);
/* A descriptor or a process has become free: no need to wait for the end of a back-off. */
void accepting_hurry(struct loop *loop);

/* ---- what a poller reports ---- */

/* accept gave `fd`, with the flags the poller wants. */
void loop_accepted(struct loop *loop, struct listener *listener, int fd, const struct sockaddr *peer);
/* accept failed with this errno value; not for EAGAIN, EINTR. Backs off, or uses the reserve descriptor. */
void loop_accept_failed(struct loop *loop, struct listener *listener, int error);

/* ---- sharing.c ---- */

/* The loop takes part in sharing its listeners, or no longer; -1 without memory. */
int sharing_open(struct loop *loop);
void sharing_close(struct loop *loop);
/* What it holds has changed: crowd.c. */
void sharing_tell(struct loop *loop);
/* This worker took a client; whether it, which gave way to another, still does. */
void sharing_took(struct loop *loop, struct listener *listener);
bool sharing_gives_way(struct loop *loop, struct listener *listener);

#endif
