/* The io_uring poller's own: uring.c has the verbs, uring_ring.c the ring and its buffers, uring_report.c
 * the completions, uring_request.c what is asked of listeners and watched descriptors.
 *
 * Every operation the kernel holds has exactly one end: the completion without IORING_CQE_F_MORE. For a
 * connection it is counted in conn->held and noted in conn->polled; for a listener or a watch it is a
 * request, whose memory lives as long as the ring. */
#ifndef POLLER_URING_H
#define POLLER_URING_H

#include "engine/loop.h"
#include <liburing.h>

/* What an operation is about: the high bits of its user data, where no address reaches; the rest is one. */
enum uring_kind {
    URING_NOTHING, /* a cancel whose outcome shows elsewhere */
    URING_REQUEST,
    URING_RECEIVE,
    URING_POLL, /* the same wish of a connection with large messages */
    URING_SEND,
    URING_CONNECT,
    URING_GUARD,          /* a poll for errors alone, of a connection that does not read */
    URING_CANCEL_RECEIVE, /* of a connection */
    URING_CANCEL_SEND,
    URING_CANCEL_GUARD,
    URING_CANCEL_CONNECT
};
enum { URING_KIND_SHIFT = 60 };

/* conn->polled: what the kernel holds for it, and how it receives. */
enum {
    URING_RECEIVING = 1,
    URING_POLLING = 2, /* ... by a poll */
    URING_SENDING = 4,
    URING_GUARDING = 8,
    URING_CANCELLING_RECEIVE = 16,
    URING_CANCELLING_SEND = 32,
    URING_CANCELLING_GUARD = 64,
    URING_CONNECTING = 128,
    URING_CANCELLING_CONNECT = 256,
    URING_SHUT = 512,       /* a cancel missed its operation: the socket was shut down to end it */
    URING_BULK = 1024,      /* a large message came: to be polled, and received directly */
    URING_SMALL_ONE = 2048, /* counts small receives in a row since then, up from this bit */
    URING_SMALL_ENOUGH = 8 * URING_SMALL_ONE
};

struct uring_sizes {
    unsigned entries;     /* operations submitted in one call */
    unsigned completions; /* room for the answers of one turn */
    unsigned buffers;     /* a power of two */
    unsigned buffer_size;
};

enum { URING_BUFFER_GROUP = 1, URING_VECTORS = 16 };

/* What a send points to until it is submitted: one per entry of the submission queue. */
struct uring_vectors {
    struct msghdr message;
    union {
        struct iovec vectors[URING_VECTORS];
        struct sockaddr_storage peer; /* of a connect */
    };
};

/* An accept on a listener, or a poll of a watch. One shot each time. */
struct uring_request {
    struct uring_request *next;
    struct listener *listener; /* NULL: not wanted any more, and perhaps gone */
    struct watch *watch;       /* the same */
    int fd;
    bool armed;     /* the kernel holds it */
    bool cancelled; /* ... and was asked to give it back */
    bool knocking;  /* accept had no descriptor to give: it waits for a client to be there */
    bool knocked;   /* ... and there is one */
    struct sockaddr_storage peer;
    socklen_t peer_length;
};

struct uring {
    struct io_uring ring;
    struct uring_sizes sizes;
    struct io_uring_buf_ring *buffer_ring; /* the buffers the kernel may receive into */
    unsigned char *memory;                 /* of the buffers */
    unsigned returned;                     /* buffers given back, not yet shown to the kernel */
    struct uring_vectors *vectors;
    struct uring_request *requests;
    bool unattended; /* some request may have to be armed */
    bool hurried;    /* an entry was refused: try again without sleeping */
};

/* For tests: sizes and setup to use instead of the usual ones; all zero otherwise. Before a loop opens. */
struct uring_trial {
    struct uring_sizes sizes;
    int (*setup)(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters);
};
extern struct uring_trial uring_trial;

/* ---- uring_ring.c ---- */

/* Opens the ring and its buffers: 0 or a parley_status. */
int uring_open(struct uring *uring, const struct uring_sizes *sizes);
void uring_close(struct uring *uring);
/* An entry for one operation; submits what is queued if the queue is full. NULL when the kernel takes
 * nothing now: the next sleep then does not wait. */
struct io_uring_sqe *uring_entry(struct uring *uring);
/* The user data of an operation; `subject` is a connection or a request. */
static inline uint64_t uring_tag(const void *subject, enum uring_kind kind)
{
    return (uintptr_t)subject | (uint64_t)kind << URING_KIND_SHIFT;
}
static inline enum uring_kind uring_kind_of(uint64_t tag)
{
    return (enum uring_kind)(tag >> URING_KIND_SHIFT);
}
static inline void *uring_subject_of(uint64_t tag)
{
    return (void *)(uintptr_t)(tag & ((UINT64_C(1) << URING_KIND_SHIFT) - 1)); /* NOLINT: one we put there */
}
/* Gives a buffer back; the kernel sees it after uring_show_buffers(). */
void uring_give_back(struct uring *uring, unsigned buffer);
void uring_show_buffers(struct uring *uring);

/* ---- uring_request.c ---- */

void uring_listen(struct loop *loop, struct listener *listener);
void uring_watch(struct loop *loop, struct watch *watch);
/* Arms the requests that are wanted and not armed, where uring->unattended says that there may be some. */
void uring_attend(struct loop *loop);
void uring_request_done(struct loop *loop, struct uring_request *request, int result);
/* Takes all requests back from the kernel, and frees them. */
void uring_end_requests(struct uring *uring);

/* ---- uring_report.c ---- */

void uring_report(struct loop *loop, int count);

/* ---- uring.c ---- */

/* The kernel no longer holds the operations in `bit` (one of conn->polled). */
void uring_released(parley_conn *conn, unsigned bit);
/* The kernel is short of memory to send: the engine's timer tries again. */
void uring_starve(parley_conn *conn);

#endif
