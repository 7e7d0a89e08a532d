/* A connection: accepted or dialled, the same from then on. */
#ifndef ENGINE_CONN_H
#define ENGINE_CONN_H

#include "engine/queue.h"
#include "engine/slots.h"
#include "engine/timer.h"
#include "net/address.h"
#include <parley.h>

struct frame;
struct loop;

/* The peer's address, as small as it can be: an IPv4 one, mapped into IPv6 or not, needs no memory of its
 * own, and a unix peer's path is asked of the kernel when wanted. */
enum peer_kind { PEER_UNKNOWN, PEER_UNIX, PEER_IPV4, PEER_MAPPED, PEER_IPV6 };
union peer {
    struct {
        in_addr_t address; /* both in network order */
        in_port_t port;
    } ipv4;
    struct sockaddr_in6 *ipv6;
};

struct parley_conn {
    struct slot slot; /* in loop->slots: first */
    struct loop *loop;
    struct queue queue;
    union {
        struct frame *frame; /* a message not whole yet */
        char *failure;       /* fd < 0, a dial that failed: its sentence */
    };
    uint64_t received, sent; /* bytes on the wire */
    int64_t active_at;       /* ms: the last byte either way; lingering: the last that the peer took */
    union peer peer;
    struct timer deadline; /* the engine's: the earliest of idle, life, stall and linger */
    int fd;
    unsigned polled; /* the poller's own note: what the kernel was told */
    union {
        uint32_t unacknowledged; /* lingering: bytes the peer had not taken at the last look */
        uint32_t leaves_at;      /* leaving, and not lingering yet: ms, cut to these bits; no later */
        struct {
            unsigned short error;      /* dead: errno value of what failed, */
            unsigned char failed_call; /* and which call it was: conn_failed() */
        };
    };
    enum peer_kind peer_kind : 8;
    unsigned char held;   /* operations the kernel holds; freed only at 0 */
    unsigned char reason; /* parley_reason, once dead or finishing */
    bool dialled : 1;
    bool trailing : 1;     /* eof was said inside TLS: what the wire may still bring is nobody's */
    bool shut : 1;         /* SHUT_WR done */
    bool leaving : 1;      /* is told that it met a limit, its reason: over.h */
    bool drained_owed : 1; /* bytes were queued since `drained` */
    bool opened : 1;       /* the handler has seen it */
    bool is_unix : 1;      /* its socket is: whatever family its peer's address has */
    bool is_dirty : 1;
    bool is_again : 1; /* epoll's: listed to be read again */
    bool readable : 1; /* epoll's: the edge has been seen, not yet drained */
    bool starved : 1;  /* ... or the kernel had no memory: try again soon, nothing will tell */
    /* What most connections are not, most of the time: one look at all tells what every message asks. */
    union {
        uint16_t unusual; /* any of these */
        struct {
            bool dead : 1;         /* to be closed and freed */
            bool eof : 1;          /* the peer finished sending */
            bool connecting : 1;   /* not established yet: `blocked` until it is */
            bool paused : 1;       /* by the handler */
            bool held_back : 1;    /* messages are kept until the handler takes them again */
            bool finishing : 1;    /* no more from the handler; close after the last byte */
            bool half_closing : 1; /* SHUT_WR after the last byte */
            bool lingering : 1;    /* all sent; what arrives is discarded until the peer finishes */
            bool ended_owed : 1;   /* `ended` to be called once kept messages are delivered */
            bool secured : 1;      /* speaks TLS: secure.h */
            bool covered : 1;      /* something stands between wire and handler: cover.h */
            bool guest : 1;        /* beside another, with a handler of its own: beside.h */
            bool bridged : 1;      /* its bytes go to another connection: beside.h */
            bool hung_up : 1;      /* pollers': RDHUP or HUP seen: read to the end */
            bool urgent : 1;       /* epoll's: the peer sends urgent bytes, at which recv stops short */
            bool blocked : 1;      /* send said EAGAIN: wait for room */
        };
    };
};

/* What stands right behind a connection whose server has any use for it. */
struct conn_extra {
    int64_t established_at; /* ms: for the life time, and for the time it may take to be let in */
    struct timer alarm;     /* the handler's */
};

/* How the memory of a connection is laid out: the same for all of a server. */
struct conn_shape {
    bool has_extra;      /* struct conn_extra */
    size_t cover, state; /* where they begin: struct cover, and the handler's state */
    size_t size;
};

static inline struct conn_extra *conn_extra(const parley_conn *conn)
{
    return (struct conn_extra *)(conn + 1);
}
static inline parley_conn *conn_of_extra(struct conn_extra *extra)
{
    return (parley_conn *)extra - 1;
}

/* secure.c: clear bytes kept until the peer has ended a message of TLS's own. */
size_t secure_held(const parley_conn *conn);

/* ---- what a connection wants of the kernel: read by pollers ---- */

/* Bytes wait to be sent. */
static inline bool conn_has_output(const parley_conn *conn)
{
    return !conn->dead && queue_size(&conn->queue) > 0;
}

/* Bytes of the handler's that wait: queued, or under TLS kept by the session, which cannot send them yet. */
static inline size_t conn_waiting(const parley_conn *conn)
{
    return queue_size(&conn->queue) + (conn->secured ? secure_held(conn) : 0);
}

/* The clear bytes end before their end: nobody may take what came for all. */
static inline bool reason_is_cut(unsigned char reason)
{
    return reason == PARLEY_TLS_TRUNCATED || reason == PARLEY_TLS_BROKEN || reason == PARLEY_REFUSED;
}

/* It has failed, and only sees its last words through, an alert of TLS: what goes wrong from here on is not
 * the reason. */
static inline bool conn_has_failed(const parley_conn *conn)
{
    return conn->finishing && (conn->reason == PARLEY_REFUSED || conn->reason == PARLEY_TLS_BROKEN);
}

/* Nothing more will come off the wire. */
static inline bool conn_wire_has_ended(const parley_conn *conn)
{
    return conn->eof && !conn->trailing;
}

/* Offers the oldest queued bytes to the kernel: how many it took, to be told to conn_sent(); or -1 and errno.
 */
ssize_t conn_offer(const parley_conn *conn, int flags);

/* ---- the peer's address: peer.c ---- */

/* Remembers whose bytes these are; behind a proxy not the socket's own peer: proxied.h. NULL: not known. 0,
 * or -1 without memory. */
int conn_set_peer(parley_conn *conn, const struct sockaddr *peer);
void conn_forget_peer(parley_conn *conn);
/* Writes it as the kernel takes it, and gives its length; of a unix peer the family alone. */
socklen_t conn_peer(const parley_conn *conn, struct sockaddr_storage *address);
/* The text of such an address; a unix path is the kernel's, of the peer that is connected. */
const char *conn_address_text(const parley_conn *conn, const struct sockaddr_storage *address,
                              socklen_t length, char text[ADDRESS_TEXT]);

/* ---- the engine's own ---- */

/* Marks the connection dead for `reason`, unless it already is; settle closes it. */
void conn_die(parley_conn *conn, parley_reason reason);
/* The same, for the reason already noted: the way it was to end. */
void conn_over(parley_conn *conn);
/* Delivers messages that were held back, and the end behind them, once the handler takes them again. */
void conn_release(parley_conn *conn);
/* The handler is through with what was received: sends its answers while the connection is in the cache,
 * where that costs no more than in the settle stage. What fails or does not fit is left to the poller. */
void conn_answer(parley_conn *conn);
/* All is sent: waits for the peer's end, or until it has acknowledged all. */
void conn_linger(parley_conn *conn);
/* Whether bytes of ours, queued here or in the kernel, have not reached the peer. */
bool conn_has_unsent(const parley_conn *conn);
/* What the call was that failed; "" if none did. */
const char *conn_failed_call(const parley_conn *conn);
/* The deadline timer fired. */
void conn_look(parley_conn *conn);
/* One look of the settle stage: end, half-close, linger, `drained`. */
void conn_settle(parley_conn *conn);
/* Arms the deadline timer for the earliest time that needs a look. */
void conn_arm(parley_conn *conn);
/* The server is stopping: finish, once what is queued is sent. */
void conn_drain(parley_conn *conn);
/* Passes on bytes that another connection received: what the kernel does not take at once is queued, however
 * much it is. */
void conn_pass_on(parley_conn *conn, const void *bytes, size_t size);
/* Forgets what is queued: nobody takes it any more. */
void conn_drop_output(parley_conn *conn);
/* Queues bytes already framed: 0 or a parley_status. */
int conn_queue(parley_conn *conn, const struct iovec *vectors, size_t count);
/* Sends bytes of the wire, or queues them, all of them: 0, or -1 without memory. */
int conn_put(parley_conn *conn, const void *bytes, size_t size);

#endif
