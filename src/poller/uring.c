/* io_uring: a receive is armed once and completes as often as bytes come, and one call per turn submits,
 * waits and collects. Sends go out at once, which costs no more than a batch of them in the ring; the ring
 * sends what the kernel has no room for yet.
 *
 *     queue "receive on fd"           arm_receive(): an entry in a ring that the kernel reads
 *     io_uring_enter()                sleep_uring(): hands over all entries, and sleeps until one is done
 *     for each completion             uring_report(): these bytes were read; nothing is asked "may I?"
 *
 * The kernel works on what it was given, so a connection that has died is kept until all of it has come back:
 * cancel_all() asks for that, conn->held counts. */
#include "base/error.h"
#include "base/sys.h"
#include "poller/uring.h"
#include <errno.h>
#include <poll.h>
#include <string.h>

enum { SECOND = 1000000000 /* ns */ };

/* A small message touches only the first page of a buffer; one that fills it is bulk. */
static const struct uring_sizes shared_sizes = {512, 8192, 128, 16 << 10};
/* For a loop that serves one connection: rings count against the user's RLIMIT_MEMLOCK. */
static const struct uring_sizes single_sizes = {8, 64, 8, 16 << 10};

static int open_uring(struct loop *loop)
{
    const struct uring_sizes *sizes = loop->limit == 1 ? &single_sizes : &shared_sizes;
    struct uring *uring = sys.malloc(sizeof *uring);
    if (!uring)
        return fail(PARLEY_RESOURCE, "no memory for io_uring");
    int status = uring_open(uring, uring_trial.sizes.entries ? &uring_trial.sizes : sizes);
    if (status < 0) {
        sys.free(uring);
        return status;
    }
    loop->poller_state = uring;
    return 0;
}

/* Before anything listens: a smallest ring tells what a worker's would. */
static int check_uring(void)
{
    static const struct uring_sizes smallest = {1, 2, 1, 4096};
    struct uring uring;
    sys_untold = true;
    int status = uring_open(&uring, &smallest);
    if (status == 0)
        uring_close(&uring);
    sys_untold = false;
    return status;
}

static void close_uring(struct loop *loop)
{
    struct uring *uring = loop->poller_state;
    uring_end_requests(uring);
    uring_close(uring);
    sys.free(uring);
    loop->poller_state = NULL;
}

/* The ring's memory is not mapped in a child; its descriptor would keep the listeners alive. */
static void forget_uring(struct loop *loop)
{
    const struct uring *uring = loop->poller_state;
    sys.close(uring->ring.ring_fd);
}

/* ---- operations of a connection ---- */

static void holds(parley_conn *conn, struct io_uring_sqe *entry, enum uring_kind kind, unsigned bit)
{
    io_uring_sqe_set_data64(entry, uring_tag(conn, kind));
    conn->polled |= bit;
    conn->held++;
}

void uring_released(parley_conn *conn, unsigned bit)
{
    conn->polled &= ~bit;
    conn->held--;
    loop_touch(conn->loop, conn);
}

/* No entry was free: settle looks again, after the completions. */
static struct io_uring_sqe *entry_for(parley_conn *conn)
{
    struct io_uring_sqe *entry = uring_entry(conn->loop->poller_state);
    if (!entry)
        loop_touch(conn->loop, conn);
    return entry;
}

static void arm_multishot(parley_conn *conn, struct io_uring_sqe *entry)
{
    io_uring_prep_recv_multishot(entry, conn->fd, NULL, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = URING_BUFFER_GROUP;
    holds(conn, entry, URING_RECEIVE, URING_RECEIVING);
    if (sys.note)
        sys.note("for as long as bytes come: no call per message", "io_uring: queue recv on %d", conn->fd);
}

/* Large messages cost less when they are received one after another into the same warm buffer. */
static void arm_poll(parley_conn *conn, struct io_uring_sqe *entry)
{
    io_uring_prep_poll_add(entry, conn->fd, POLLIN);
    holds(conn, entry, URING_POLL, URING_RECEIVING);
    conn->polled |= URING_POLLING;
    if (sys.note)
        sys.note("its messages are large: we receive them ourselves", "io_uring: queue poll on %d", conn->fd);
}

static void arm_receive(parley_conn *conn)
{
    struct io_uring_sqe *entry = entry_for(conn);
    if (entry && conn->polled & URING_BULK)
        arm_poll(conn, entry);
    else if (entry)
        arm_multishot(conn, entry);
}

/* A poll that asks for nothing still tells of errors: a connection that does not read learns of a reset. It
 * stays armed when reading goes on. */
static void arm_guard(parley_conn *conn)
{
    struct io_uring_sqe *entry = entry_for(conn);
    if (!entry)
        return;
    io_uring_prep_poll_add(entry, conn->fd, 0);
    holds(conn, entry, URING_GUARD, URING_GUARDING);
    if (sys.note)
        sys.note("it does not read: only a reset is told", "io_uring: queue poll on %d", conn->fd);
}

static void cancel(parley_conn *conn, enum uring_kind target, enum uring_kind kind, unsigned bit)
{
    struct io_uring_sqe *entry = entry_for(conn);
    if (!entry)
        return;
    io_uring_prep_cancel64(entry, uring_tag(conn, target), 0);
    holds(conn, entry, kind, bit);
    if (sys.note)
        sys.note("the kernel gives it back undone", "io_uring: cancel %s on %d",
                 target == URING_SEND      ? "send"
                 : target == URING_RECEIVE ? "recv"
                 : target == URING_CONNECT ? "connect"
                                           : "poll",
                 conn->fd);
}

/* Whether the operation is held, and not yet asked back. */
static bool is_out(const parley_conn *conn, unsigned bit, unsigned cancelling)
{
    return (conn->polled & (bit | cancelling | URING_SHUT)) == bit;
}

static void cancel_receive(parley_conn *conn)
{
    enum uring_kind kind = conn->polled & URING_POLLING ? URING_POLL : URING_RECEIVE;
    if (is_out(conn, URING_RECEIVING, URING_CANCELLING_RECEIVE))
        cancel(conn, kind, URING_CANCEL_RECEIVE, URING_CANCELLING_RECEIVE);
}

static void cancel_all(parley_conn *conn)
{
    cancel_receive(conn);
    if (is_out(conn, URING_SENDING, URING_CANCELLING_SEND))
        cancel(conn, URING_SEND, URING_CANCEL_SEND, URING_CANCELLING_SEND);
    if (is_out(conn, URING_GUARDING, URING_CANCELLING_GUARD))
        cancel(conn, URING_GUARD, URING_CANCEL_GUARD, URING_CANCELLING_GUARD);
    if (is_out(conn, URING_CONNECTING, URING_CANCELLING_CONNECT))
        cancel(conn, URING_CONNECT, URING_CANCEL_CONNECT, URING_CANCELLING_CONNECT);
}

/* ---- connecting ---- */

/* A unix socket was connected when it was made: that takes no time. */
static void connect_uring(struct uring *uring, parley_conn *conn)
{
    if (conn->polled & URING_CONNECTING)
        return;
    if (conn->peer_kind == PEER_UNIX) {
        conn_connected(conn);
        return;
    }
    struct io_uring_sqe *entry = entry_for(conn);
    if (!entry)
        return;
    struct uring_vectors *slot = &uring->vectors[entry - uring->ring.sq.sqes];
    socklen_t length = conn_peer(conn, &slot->peer);
    io_uring_prep_connect(entry, conn->fd, (struct sockaddr *)&slot->peer, length);
    holds(conn, entry, URING_CONNECT, URING_CONNECTING);
}

/* ---- sending ---- */

/* The kernel copies the vectors when the entry is submitted, so before the same entry is used again; the
 * bytes stay where they are until it is done. One chunk, the usual case, needs no vectors. */
static void prepare_send(const struct uring *uring, struct io_uring_sqe *entry, const parley_conn *conn)
{
    struct uring_vectors *slot = &uring->vectors[entry - uring->ring.sq.sqes];
    size_t count = queue_vectors(&conn->queue, slot->vectors, URING_VECTORS);
    slot->message = (struct msghdr){.msg_iov = slot->vectors, .msg_iovlen = count};
    if (count == 1)
        io_uring_prep_send(entry, conn->fd, slot->vectors->iov_base, slot->vectors->iov_len, MSG_NOSIGNAL);
    else
        io_uring_prep_sendmsg(entry, conn->fd, &slot->message, MSG_NOSIGNAL);
}

static void queue_send(parley_conn *conn)
{
    struct io_uring_sqe *entry = entry_for(conn);
    if (!entry)
        return;
    prepare_send(conn->loop->poller_state, entry, conn);
    entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
    holds(conn, entry, URING_SEND, URING_SENDING);
    if (sys.note)
        sys.note("the kernel's buffer is full: it sends once there is room",
                 "io_uring: queue send on %d of %zu bytes", conn->fd, queue_size(&conn->queue));
}

void uring_starve(parley_conn *conn)
{
    conn->blocked = conn->starved = true;
    loop_touch(conn->loop, conn);
}

/* Sends until the queue is empty or the kernel takes no more. */
static void send_queued(parley_conn *conn)
{
    while (conn_has_output(conn) && !conn->blocked) {
        ssize_t taken = conn_offer(conn, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken >= 0)
            conn_sent(conn, (size_t)taken);
        else if (errno == EAGAIN)
            break;
        else if (errno == ENOBUFS || errno == ENOMEM)
            uring_starve(conn);
        else if (errno != EINTR)
            conn_failed(conn, "send", errno);
    }
    if (conn_has_output(conn) && !conn->blocked)
        queue_send(conn);
}

/* ---- the verbs ---- */

static void update_input(parley_conn *conn)
{
    bool wanted = conn_wants_input(conn);
    bool other_way = (conn->polled & (URING_BULK | URING_POLLING)) == URING_BULK;
    if (conn->polled & URING_RECEIVING && (!wanted || other_way))
        cancel_receive(conn);
    else if (wanted && !(conn->polled & (URING_RECEIVING | URING_CANCELLING_RECEIVE)))
        arm_receive(conn);
    else if (!wanted && !conn->finishing && !conn->hung_up &&
             !(conn->polled & (URING_SENDING | URING_GUARDING)))
        arm_guard(conn);
}

static void update_uring(struct loop *loop, parley_conn *conn)
{
    if (conn_has_output(conn) && !conn->blocked && !(conn->polled & URING_SENDING))
        send_queued(conn);
    if (conn->dead)
        cancel_all(conn);
    else if (conn->connecting)
        connect_uring(loop->poller_state, conn);
    else
        update_input(conn);
}

/* Even a turn that does not wait enters the kernel: with DEFER_TASKRUN nothing completes outside. */
static int enter(struct io_uring *ring, int64_t timeout)
{
    struct __kernel_timespec limit = {.tv_sec = timeout / SECOND, .tv_nsec = timeout % SECOND};
    struct io_uring_cqe *first;
    if (timeout < 0)
        return io_uring_submit_and_wait(ring, 1);
    if (timeout == 0)
        return io_uring_submit_and_get_events(ring);
    return io_uring_submit_and_wait_timeout(ring, &first, 1, &limit, NULL);
}

static void note_sleep(struct io_uring *ring, int64_t timeout)
{
    const char *meaning = "hands over what is queued, and sleeps until something is done";
    unsigned queued = io_uring_sq_ready(ring);
    if (timeout < 0)
        sys.note(meaning, "io_uring_enter(%u queued, for ever) …", queued);
    else
        sys.note(meaning, "io_uring_enter(%u queued, %g ms) …", queued, (double)timeout / 1e6);
}

/* Completions are counted where they stand, whatever enter() returns. EBUSY and EAGAIN keep the entries for
 * the next turn, which is not to come at once if nothing else is there to do. */
static int sleep_uring(struct loop *loop, int64_t timeout)
{
    struct uring *uring = loop->poller_state;
    if (uring->unattended)
        uring_attend(loop);
    if (uring->hurried || io_uring_cq_ready(&uring->ring) > 0)
        timeout = 0;
    uring->hurried = false;
    if (sys.note && timeout != 0)
        note_sleep(&uring->ring, timeout);
    int result = enter(&uring->ring, timeout), done = (int)io_uring_cq_ready(&uring->ring);
    if (done > 0 || result >= 0 || result == -ETIME)
        return done;
    errno = -result;
    return -1;
}

const struct poller poller_uring = {.name = "uring",
                                    .connects = true,
                                    .check = check_uring,
                                    .open = open_uring,
                                    .close = close_uring,
                                    .listen = uring_listen,
                                    .watch = uring_watch,
                                    .update = update_uring,
                                    .sleep = sleep_uring,
                                    .report = uring_report,
                                    .forget = forget_uring};
