/* Connections beside others: guests, which a handler adopts or connects in the loop of its own connection,
 * and bridges between two connections of one loop.
 *
 * What such a connection has beyond others is its side. Sides stand in a table of their own, by slot, so that
 * a loop without any pays nothing for them, and a plain connection two flags. */
#ifndef ENGINE_BESIDE_H
#define ENGINE_BESIDE_H

#include "engine/cover.h"
#include "framing/frame.h"

struct side {
    parley_conn *conn;
    parley_conn *other; /* whom it is bridged with; NULL: nobody, or it has gone */
    bool waits;         /* does not read: too much is queued for the other */
    bool reset;         /* a send found it reset: so it ends, once what it sent before is read */
};

/* The side of a connection with `guest`: it has a handler and a user pointer of its own, is no client, and
 * takes no client's place. */
struct guest {
    struct side side;
    parley_handler handler;
    struct framing framing;
    void *user;
    struct timer alarm;
    max_align_t state[]; /* the handler's */
};

/* Of a connection with `guest` or `bridged`. */
static inline struct side *conn_side(const parley_conn *conn)
{
    return conn->loop->sides[conn->slot.number];
}

/* Of a connection with `guest`. */
static inline struct guest *conn_guest(const parley_conn *conn)
{
    return (struct guest *)(void *)conn_side(conn); /* aligned as it was allocated */
}

/* Its own handler, or the server's. */
static inline const parley_handler *conn_handler(const parley_conn *conn)
{
    return conn->guest ? &conn_guest(conn)->handler : conn->loop->server->handler;
}

static inline const struct framing *conn_framing(const parley_conn *conn)
{
    return conn->guest ? &conn_guest(conn)->framing : &conn_options(conn)->framing;
}

/* The side of a connection, made if it has none: NULL without memory. */
struct side *side_of(parley_conn *conn);
/* The connection is freed. */
void side_free(parley_conn *conn);
/* How the dial of a guest without a descriptor has ended: a descriptor with the host's name ("": none), or a
 * parley_status with its sentence. */
void guest_dialled(parley_conn *conn, int fd, const char *sentence);
/* A guest's timer is due. */
void guest_alarmed(struct timer *timer);

/* ---- bridge.c: of a connection with `bridged` ---- */

/* Whether bytes may be passed on; until then they are kept like messages of one that has paused. */
bool bridge_is_open(const parley_conn *conn);
/* Bytes for the other. */
void bridge_received(parley_conn *conn, const void *bytes, size_t size);
/* It has said its end: so does the other. */
void bridge_ended(parley_conn *conn);
/* Something of its queue may have gone: the other may read on. */
void bridge_settle(const parley_conn *conn);
/* A call failed. True: it goes on all the same, as one that takes no more, or has nothing more to say. */
bool bridge_bears(parley_conn *conn, const char *call, int error);
/* It is being freed: the other ends too. */
void bridge_part(parley_conn *conn);

#endif
