/* What the ring has completed, put in the engine's words. */
#include "base/error.h"
#include "base/escape.h"
#include "base/sys.h"
#include "poller/ready.h"
#include "poller/uring.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>

/* Receive buffers one connection may fill at once: the others wait so long at most. */
enum { MOST_READS = 4 };
/* Bytes of a message that `explain` shows. */
enum { PREVIEW = 32 };

/* Ends the operation, not the connection: cancelled, interrupted, or no buffer was free (kernels before 6.5
 * say so of a cancelled receive too). Settle asks again if the connection still wants it. */
static bool is_passing(int result)
{
    return result == -ECANCELED || result == -ENOBUFS || result == -EAGAIN || result == -EINTR ||
           result == -ENOMEM;
}

static void note_outcome(const parley_conn *conn, const char *call, int result, const char *meaning)
{
    if (result < 0)
        sys.note(reason_of(call, -result), "io_uring: %s on %d completed: -1", call, conn->fd);
    else
        sys.note(meaning, "io_uring: %s on %d completed: %d", call, conn->fd, result);
}

static void note_bytes(const struct uring *uring, const parley_conn *conn, unsigned buffer, size_t size)
{
    const unsigned char *bytes = uring->memory + (size_t)buffer * uring->sizes.buffer_size;
    char text[PREVIEW + 1];
    size_t taken;
    escape_bytes(text, sizeof text, bytes, size, "\\\"", &taken);
    sys.note("had arrived, and are in a buffer the kernel chose",
             "io_uring: recv on %d completed: %zu \"%s\"%s", conn->fd, size, text, taken < size ? "…" : "");
}

/* ---- receiving ---- */

static void take_bytes(struct uring *uring, parley_conn *conn, unsigned buffer, unsigned size)
{
    if (size == uring->sizes.buffer_size && !(conn->polled & URING_BULK)) {
        conn->polled |= URING_BULK;
        loop_touch(conn->loop, conn);
    }
    if (size > 0)
        conn_received(conn, uring->memory + (size_t)buffer * uring->sizes.buffer_size, size);
    uring_give_back(uring, buffer);
}

/* A bulk connection whose messages have become small receives by itself again. */
static void learn(const struct uring *uring, parley_conn *conn, size_t size)
{
    if (size >= uring->sizes.buffer_size)
        conn->polled &= URING_SMALL_ONE - 1;
    else if (conn->polled & URING_BULK)
        conn->polled += URING_SMALL_ONE;
    if (conn->polled >= URING_SMALL_ENOUGH)
        conn->polled &= URING_BULK - 1;
}

/* One recv into the loop's buffer. False: nothing more for now. */
static bool receive_directly(struct loop *loop, parley_conn *conn)
{
    ssize_t size = sys.recv(conn->fd, loop->buffer, loop->buffer_size, MSG_DONTWAIT);
    if (size > 0) {
        learn(loop->poller_state, conn, (size_t)size);
        conn_received(conn, loop->buffer, (size_t)size);
    } else if (size == 0) {
        conn_ended(conn);
    } else if (errno == EINTR) {
        return true;
    } else if (errno != EAGAIN) {
        conn_failed(conn, "recv", errno);
    }
    return size == (ssize_t)loop->buffer_size;
}

/* Only while the kernel holds no receive of the connection: bytes must not overtake each other. */
static void receive_some(struct loop *loop, parley_conn *conn)
{
    for (int i = 0; i < MOST_READS && conn_wants_input(conn); i++)
        if (!receive_directly(loop, conn))
            return;
}

static void received(struct loop *loop, parley_conn *conn, int result, unsigned flags)
{
    if (sys.note && result > 0 && flags & IORING_CQE_F_BUFFER)
        note_bytes(loop->poller_state, conn, flags >> IORING_CQE_BUFFER_SHIFT, (unsigned)result);
    else if (sys.note)
        note_outcome(conn, "recv", result,
                     "the peer has finished sending (its FIN): end of file, not an error");
    if (!(flags & IORING_CQE_F_MORE))
        uring_released(conn, URING_RECEIVING);
    else if (!conn_wants_input(conn))
        loop_touch(loop, conn); /* it came before the cancel, or nobody has asked for one yet */
    if (flags & IORING_CQE_F_BUFFER)
        take_bytes(loop->poller_state, conn, flags >> IORING_CQE_BUFFER_SHIFT,
                   result > 0 ? (unsigned)result : 0);
    if (result == 0 && !conn_wire_has_ended(conn))
        conn_ended(conn);
    else if (result == -ENOBUFS)
        receive_some(loop, conn);
    else if (result < 0 && !is_passing(result))
        conn_failed(conn, "recv", -result);
}

static void polled(struct loop *loop, parley_conn *conn, int result)
{
    if (sys.note)
        note_outcome(conn, "poll", result < 0 ? result : 1, "it can be read, or is at its end");
    conn->polled &= ~URING_POLLING;
    uring_released(conn, URING_RECEIVING);
    if (result >= 0)
        receive_some(loop, conn);
    else if (!is_passing(result))
        conn_failed(conn, "poll", -result);
}

/* HUP alone says that both sides have finished: nothing more will come of a guard. */
static void guarded(parley_conn *conn, int result)
{
    uring_released(conn, URING_GUARDING);
    if (result < 0)
        return;
    if (sys.note)
        note_outcome(conn, "poll", 1, "the connection has broken down, or is over");
    conn->hung_up = true;
    if (result & POLLERR && !conn->dead && !conn_wants_input(conn))
        ready_error(conn);
}

/* ---- sending, cancelling ---- */

static void sent(parley_conn *conn, int result)
{
    if (sys.note)
        note_outcome(conn, "send", result, "bytes of the queue are the kernel's now");
    uring_released(conn, URING_SENDING);
    if (result > 0)
        conn_sent(conn, (size_t)result);
    else if (result == -ENOBUFS || result == -ENOMEM)
        uring_starve(conn);
    else if (result < 0 && !is_passing(result))
        conn_failed(conn, "send", -result);
}

static void connected(parley_conn *conn, int result)
{
    if (sys.note)
        note_outcome(conn, "connect", result, "the three segments of the handshake are exchanged");
    uring_released(conn, URING_CONNECTING);
    if (result == 0)
        conn_connected(conn);
    else if (result != -EINTR && result != -ECANCELED)
        conn_failed(conn, "connect", -result);
}

/* A cancel that missed an operation of a dead connection: the socket is shut down, which ends every operation
 * on it. Not at first, since a shutdown says FIN where an abort should say RST. */
static void cancelled(parley_conn *conn, unsigned bit, unsigned target, int result)
{
    conn->polled &= ~bit;
    conn->held--;
    if (conn->dead || !(conn->polled & target))
        loop_touch(conn->loop, conn);
    if (result < 0 && conn->dead && conn->polled & target && !(conn->polled & URING_SHUT)) {
        conn->polled |= URING_SHUT;
        sys.shutdown(conn->fd, SHUT_RDWR);
    }
}

static void report_one(struct loop *loop, uint64_t tag, int result, unsigned flags)
{
    void *subject = uring_subject_of(tag);
    switch (uring_kind_of(tag)) {
    case URING_REQUEST: uring_request_done(loop, subject, result); break;
    case URING_RECEIVE: received(loop, subject, result, flags); break;
    case URING_POLL: polled(loop, subject, result); break;
    case URING_SEND: sent(subject, result); break;
    case URING_CONNECT: connected(subject, result); break;
    case URING_GUARD: guarded(subject, result); break;
    case URING_CANCEL_RECEIVE: cancelled(subject, URING_CANCELLING_RECEIVE, URING_RECEIVING, result); break;
    case URING_CANCEL_SEND: cancelled(subject, URING_CANCELLING_SEND, URING_SENDING, result); break;
    case URING_CANCEL_GUARD: cancelled(subject, URING_CANCELLING_GUARD, URING_GUARDING, result); break;
    case URING_CANCEL_CONNECT: cancelled(subject, URING_CANCELLING_CONNECT, URING_CONNECTING, result); break;
    default: break;
    }
}

/* Each completion leaves the queue before it is reported: a report may submit, or fork and not come back. */
void uring_report(struct loop *loop, int count)
{
    struct uring *uring = loop->poller_state;
    const struct io_uring_cq *queue = &uring->ring.cq;
    for (int i = 0; i < count; i++) {
        const struct io_uring_cqe *completion = &queue->cqes[*queue->khead & queue->ring_mask];
        uint64_t tag = completion->user_data;
        int result = completion->res;
        unsigned flags = completion->flags;
        io_uring_cq_advance(&uring->ring, 1);
        report_one(loop, tag, result, flags);
    }
    uring_show_buffers(uring);
}
