/* One worker's loop: the connections it owns, and the turn that moves their bytes.
 *
 * A turn is named stages: timers, settle (updates, closes, frees), sleep, fresh clock, report. Handlers run
 * in `timers`, `settle` and `report`, never nested. Everything here belongs to the worker's own thread. */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include "base/log.h"
#include "engine/conn.h"
#include "engine/dirty.h"
#include "engine/mailbox.h"
#include "engine/queue.h"
#include "engine/slots.h"
#include "engine/timer.h"
#include "engine/watching.h"
#include "net/address.h"
#include "poller/poller.h"
#include "supervise/reload.h"
#include <string.h>

struct worker;
struct dialling;
struct listener;
struct door;
struct passed_over;

/* A loop's view of a door. Where the door's crowd is its own: */
struct doorway {
    unsigned count;     /* clients of its crowd that take a place here; the front door has the rest */
    unsigned share;     /* most of them here, */
    bool is_divided;    /* where each worker has its share */
    bool is_paused;     /* accepting pauses at a limit, which has been said */
    struct held access; /* who may come */
};

/* What a handler's `received` sends on its own connection leaves in one call when it returns: only what the
 * kernel does not take is queued. Small answers are gathered. What was received and goes back as it is, as in
 * an echo, is not even copied. */
struct answers {
    parley_conn *of; /* whose `received` runs, or NULL: there are none */
    size_t size;
    const unsigned char *at; /* where they stand: gathered in `bytes`, or as they were received */
    const unsigned char *received;
    size_t received_size; /* 0: what the handler is given does not stay where it is */
    unsigned char bytes[4096];
};

struct loop {
    struct parley_server *server;
    struct worker *worker;
    const struct poller *poller;
    void *poller_state;    /* the poller's */
    int64_t now;           /* ms; read once per turn, and by blocking behind each send */
    void *memory;          /* of the buffer, */
    unsigned char *buffer; /* receive buffer, shared by all connections of the loop */
    size_t buffer_size;
    unsigned char *clear; /* of the same size: what TLS has decrypted, for one call; NULL: not needed yet */
    size_t high_water;    /* of the options */

    unsigned count;     /* those that take a place: established, not lingering */
    unsigned total;     /* all */
    unsigned limit;     /* most that may take a place; 0: any */
    struct dirty dirty; /* whose wishes may have changed since the last settle */

    struct slots slots;      /* all connections, */
    struct conn_shape shape; /* of this shape */
    struct side **sides;     /* by slot, of those that have one; NULL: none has */
    uint32_t side_room;
    unsigned doorway_count;
    struct doorway *doorways; /* by the number of the door */

    /* The handler's `received` where it takes bytes as they come: no framing cuts them. Else NULL. */
    void (*straight)(parley_conn *conn, const void *bytes, size_t size);

    struct listener *listeners;
    size_t listener_count;
    struct passed_over *passed_over; /* sharing.c: each worker; NULL: no listener is shared */
    struct watch *watches;
    struct watch wake;       /* the mailbox's eventfd */
    struct watch supervisor; /* what wakes it, if it runs from this loop */
    struct mailbox mailbox;
    const char *dialled_host; /* of the dialled connection that is being adopted; NULL: none by name */
    struct held tls;          /* the certificates in use */
    unsigned dialling;        /* dials whose outcome is not known yet */

    struct chore *chores; /* what it is not to end before */

    struct timers timers;
    struct timer drain_timer;
    struct chunk_cache chunks;
    struct log log;
    int reserve;            /* a descriptor to give up when accept says EMFILE */
    int cancel;             /* eventfd that ends the dials under way, or -1 */
    struct dialling *dials; /* their threads */
    bool reporting;         /* inside poller->report() */
    bool hands_over;        /* gives each client to a worker of its own: accepts them one at a time */
    bool holds_listeners;   /* counted in server->accepting */
    bool bounded;           /* "connections" or "accept-rate" is set at a door */
    bool accepts_on;        /* and nothing but an accept or a stop can change that: no need to look */
    bool draining;
    bool failed; /* the listeners cannot be used any more */

    /* NULL, or called once in each turn, for work at times finer than the timers': does what is due, and
     * returns when it wants to be called again at the latest, in ns of CLOCK_MONOTONIC, or -1. The loop does
     * not end while there is one, unless it drains, which the pacer can see. */
    int64_t (*pace)(struct loop *loop);
    void *pacer;   /* of who paces */
    bool restless; /* `pace` is to be called again before the loop sleeps: what has happened since changes it
                    */
    _Atomic int64_t *pulse; /* NULL, or where it says since when it is busy: notify.c */

    struct answers answers; /* last: it is large */
};

/* Opens the loop in its worker's own thread: 0 or a parley_status. */
int loop_open(struct loop *loop, struct worker *worker);
/* Turns until there is nothing left to do: stopped, or no listener, connection or dial left. */
void loop_run(struct loop *loop);
void loop_close(struct loop *loop);

/* Where a connection comes from. */
enum conn_origin {
    CONN_ACCEPTED,
    CONN_DIALLED,   /* established by dialling.c; without a descriptor: a dial that failed */
    CONN_CONNECTING /* being established by this loop */
};

/* adopt.c: a connection that nobody has heard of yet, for a descriptor or, without one (-1), for a dial. It
 * takes no client's place, and no callback of the server's handler is called as long as it is neither dialled
 * nor opened. NULL without memory: the descriptor is closed. */
parley_conn *conn_make(struct loop *loop, int fd, const struct sockaddr *peer, enum conn_origin origin);
/* Takes over a descriptor (already tuned) of one that dialled or is dialled. NULL without memory: the
 * descriptor is closed. */
parley_conn *loop_adopt(struct loop *loop, int fd, const struct sockaddr *peer, enum conn_origin origin);
/* The same of a client. */
parley_conn *loop_admit(struct loop *loop, int fd, const struct sockaddr *peer, struct door *door);

/* connecting.c: begins to connect to `peer`, from `source` (NULL: any), and gives the connection. When it is
 * established the handler's `opened` runs; when not, its `closed`, with PARLEY_UNREACHED: never from inside
 * this call. 0, or a parley_status with its sentence, and errno, when it could not even begin. Not for a
 * blocking poller. */
int loop_connect(struct loop *loop, const struct address *peer, const struct address *source,
                 parley_conn **made);
/* The descriptor of one that is connected, or about to be, or a parley_status. */
int connecting_start(const struct loop *loop, const struct address *peer, const struct address *source);
/* It is established: the handler hears of it. */
void conn_established(parley_conn *conn);

/* Names a connection in what the kernel keeps for us; loop_find() gives NULL once it has gone. */
static inline uint64_t conn_key(const parley_conn *conn)
{
    return (uint64_t)conn->slot.number << 32 | conn->slot.generation;
}
static inline parley_conn *loop_find(const struct loop *loop, uint64_t key)
{
    return slots_find(&loop->slots, (uint32_t)(key >> 32), (uint32_t)key);
}
/* What a connection of this server consists of. */
struct conn_shape conn_shape_of(const struct parley_server *server);
/* Closes a dead connection that nothing holds. The settle stage alone calls it. */
void conn_free(parley_conn *conn);

/* Around every call that may wait: who sleeps is well, however long. */
static inline void loop_rests(struct loop *loop)
{
    if (loop->pulse)
        atomic_store_explicit(loop->pulse, 0, memory_order_relaxed);
}
/* `loop->now` has been read. */
static inline void loop_works(struct loop *loop)
{
    if (loop->pulse)
        atomic_store_explicit(loop->pulse, loop->now, memory_order_relaxed);
}

/* Makes settle look at the connection. */
void loop_touch(struct loop *loop, parley_conn *conn);

/* Answers of the connection that are not sent yet, beside what is queued: none once `received` has returned.
 */
static inline size_t conn_gathered(const parley_conn *conn)
{
    return conn->loop->answers.of == conn ? conn->loop->answers.size : 0;
}

/* What is received now is sent back as it is. */
static inline bool answers_lend(struct answers *answers, const unsigned char *bytes, size_t size)
{
    size_t from = (size_t)((uintptr_t)bytes - (uintptr_t)answers->received);
    if (answers->size > 0 || size == 0 || from >= answers->received_size ||
        size > answers->received_size - from)
        return false;
    answers->at = bytes;
    answers->size = size;
    return true;
}

/* bridge.c: whether more can be passed on to the other one. */
bool bridge_has_room(const parley_conn *conn);

/* What comes in may bring something to be sent: there is room for it. */
static inline bool conn_has_room(const parley_conn *conn)
{
    return conn->bridged ? bridge_has_room(conn)
                         : conn_waiting(conn) + conn_gathered(conn) < conn->loop->high_water;
}

/* Bytes are welcome: taken by the handler, or discarded while lingering. */
static inline bool conn_wants_input(const parley_conn *conn)
{
    if (!conn->unusual)
        return queue_size(&conn->queue) + conn_gathered(conn) < conn->loop->high_water;
    if (conn->dead || conn->eof || conn->connecting)
        return conn->trailing && conn->finishing && !conn->dead;
    /* A finishing connection reads on and discards: a peer blocked in its own send would never read ours. */
    return conn->finishing || (!conn->paused && conn_has_room(conn));
}

/* ---- reports of pollers ---- */

/* A connection that was connecting is established. */
void conn_connected(parley_conn *conn);
/* `size` > 0 bytes arrived. */
void conn_received(parley_conn *conn, const void *bytes, size_t size);
/* recv returned 0. */
void conn_ended(parley_conn *conn);
/* The kernel took `size` bytes of the queue. */
void conn_sent(parley_conn *conn, size_t size);
/* `call` ("recv", "send") failed with this errno value; not for EAGAIN, EINTR. */
void conn_failed(parley_conn *conn, const char *call, int error);

/* ---- the loop's own parts ---- */

/* supervise.c: the loop's thread is the supervisor's: the loop lets it look when it is woken. */
int supervise_from(struct loop *loop);

/* A forked child leaves the loop of its parent: closes the descriptors, touches nothing else. */
void loop_forget(struct loop *loop);

#endif
