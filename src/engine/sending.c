/* Sending: from what a handler says to what the kernel takes. What goes out at once is not queued; what the
 * kernel does not take waits in the queue for the poller. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/beside.h"
#include "engine/secure.h"
#include "limit/over.h"
#include <errno.h>
#include <string.h>

enum {
    LARGE = 1024, /* from this size on, a copy costs more than a system call of its own */
    MOST_VECTORS = 64,
    AT_ONCE = MSG_DONTWAIT | MSG_NOSIGNAL
};

static size_t total_of(const struct iovec *vectors, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += vectors[i].iov_len;
    return total;
}

/* ---- to the kernel ---- */

/* One run of bytes, the usual case, needs no vectors. */
static ssize_t offer(const parley_conn *conn, const struct iovec *vectors, size_t count, int flags)
{
    struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = count};
    if (count == 1)
        return sys.send(conn->fd, vectors->iov_base, vectors->iov_len, flags);
    return sys.sendmsg(conn->fd, &message, flags);
}

ssize_t conn_offer(const parley_conn *conn, int flags)
{
    struct iovec vectors[MOST_VECTORS];
    return offer(conn, vectors, queue_vectors(&conn->queue, vectors, MOST_VECTORS), flags);
}

/* A send that found no room is tried again by the poller; any other failure is the connection's, and the
 * kernel says which only once. */
static void send_failed(parley_conn *conn, int error)
{
    if (error != EAGAIN && error != EINTR && error != ENOBUFS && error != ENOMEM)
        conn_failed(conn, "send", error);
}

static void count_sent(parley_conn *conn, size_t size)
{
    conn->sent += size;
    conn->active_at = conn->loop->now;
}

/* The outcome of a send at once, as how many bytes the kernel took. */
static inline size_t taken_of(parley_conn *conn, ssize_t outcome)
{
    if (outcome < 0)
        send_failed(conn, errno);
    if (outcome <= 0)
        return 0;
    count_sent(conn, (size_t)outcome);
    return (size_t)outcome;
}

void conn_sent(parley_conn *conn, size_t size)
{
    count_sent(conn, size);
    queue_drop(&conn->queue, &conn->loop->chunks, size);
    queue_moved(&conn->queue, conn->loop->now);
    if (conn->loop->reporting)
        loop_touch(conn->loop, conn); /* a completion: settle is still to look */
}

/* ---- to the queue ---- */

static int append(parley_conn *conn, const struct iovec *vectors, size_t count, size_t skip)
{
    bool begins = queue_size(&conn->queue) == 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = vectors[i].iov_len, over = skip < size ? skip : size;
        const char *bytes = vectors[i].iov_base;
        skip -= over;
        if (size > over && queue_append(&conn->queue, &conn->loop->chunks, bytes + over, size - over) < 0) {
            conn_die(conn, PARLEY_FAILED);
            return fail(PARLEY_RESOURCE, "no memory to queue %zu bytes", total_of(vectors, count));
        }
    }
    if (begins)
        queue_moved(&conn->queue, conn->loop->now);
    return 0;
}

/* Queues what is gathered, but for the first `taken` bytes. Under TLS it becomes a record, which may still go
 * out at once. */
static int queue_answers(parley_conn *conn, size_t taken)
{
    struct answers *answers = &conn->loop->answers;
    struct iovec gathered = {(void *)answers->at, answers->size};
    answers->size = 0;
    if (taken == gathered.iov_len || conn->dead)
        return 0;
    return conn->secured ? secure_write(conn, &gathered, 1) : append(conn, &gathered, 1, taken);
}

/* ---- answers ---- */

/* Whether this is a small answer to what is being received, with nothing queued before it. */
static bool is_answer(const parley_conn *conn, size_t size)
{
    const struct answers *answers = &conn->loop->answers;
    size_t room = answers->size < sizeof answers->bytes ? sizeof answers->bytes - answers->size : 0;
    return answers->of == conn && size < LARGE && size <= room && queue_size(&conn->queue) == 0;
}

static int gather(parley_conn *conn, const struct iovec *vectors, size_t count)
{
    struct answers *answers = &conn->loop->answers;
    if (answers->size > 0 && answers->at != answers->bytes)
        memcpy(answers->bytes, answers->at, answers->size);
    answers->at = answers->bytes;
    for (size_t i = 0; i < count; i++) {
        if (vectors[i].iov_len > 0) /* what a framing does not have is no bytes at NULL */
            memcpy(answers->bytes + answers->size, vectors[i].iov_base, vectors[i].iov_len);
        answers->size += vectors[i].iov_len;
    }
    conn->drained_owed = true;
    return 0;
}

/* Something is left, reading has to pause, or the handler is to hear that all has gone out. */
static inline bool needs_a_look(const parley_conn *conn)
{
    return conn->queue.head || (conn->drained_owed && conn_handler(conn)->drained) ||
           (conn->unusual && (conn->held_back || !conn_wants_input(conn)));
}

/* Few calls deep, and the last thing a report does: behind a system call a processor has forgotten where the
 * callers go on, and stumbles over each return. */
void conn_answer(parley_conn *conn)
{
    struct loop *loop = conn->loop;
    size_t size = loop->answers.size, taken = 0;
    loop->answers.of = NULL;
    if (size > 0 && !conn->dead && !conn->blocked && !conn->secured)
        taken = taken_of(conn, sys.send(conn->fd, loop->answers.at, size, AT_ONCE));
    if (taken < size)
        queue_answers(conn, taken);
    loop->answers.size = 0;
    if (needs_a_look(conn))
        loop_touch(loop, conn);
}

/* ---- a run of bytes by itself ---- */

int conn_put(parley_conn *conn, const void *bytes, size_t size)
{
    struct iovec run = {(void *)bytes, size};
    size_t taken = 0;
    if (queue_size(&conn->queue) == 0 && !conn->blocked)
        taken = taken_of(conn, sys.send(conn->fd, bytes, size, AT_ONCE));
    if (taken == size || conn->dead || conn->shut)
        return 0;
    loop_touch(conn->loop, conn);
    return append(conn, &run, 1, taken) < 0 ? -1 : 0;
}

/* All that one receive brought is in one run: nothing is gained by gathering it. */
void conn_pass_on(parley_conn *conn, const void *bytes, size_t size)
{
    struct iovec run = {(void *)bytes, size};
    if (conn->secured)
        secure_write(conn, &run, 1);
    else
        conn_put(conn, bytes, size);
}

void conn_drop_output(parley_conn *conn)
{
    queue_clear(&conn->queue, &conn->loop->chunks);
}

/* ---- what the handler sends ---- */

static int refuse_overflow(parley_conn *conn, size_t most)
{
    size_t queued = conn_waiting(conn);
    conn_exceed(conn, PARLEY_OVERFLOW);
    return fail(PARLEY_FULL, "%zu bytes are queued and the peer does not take them (queue-max is %zu)",
                queued, most);
}

/* What the kernel takes at once, the rest to the queue; under TLS by way of the session. */
static int hand_on(parley_conn *conn, const struct iovec *vectors, size_t count, size_t total)
{
    size_t taken = 0;
    if (conn->secured)
        return secure_write(conn, vectors, count);
    if (total >= LARGE && queue_size(&conn->queue) == 0 && !conn->blocked)
        taken = taken_of(conn, offer(conn, vectors, count, AT_ONCE));
    return taken < total && !conn->dead ? append(conn, vectors, count, taken) : 0;
}

static int send_or_queue(parley_conn *conn, const struct iovec *vectors, size_t count, size_t total)
{
    size_t most = conn_options(conn)->queue_max;
    if (conn_waiting(conn) + total > most)
        return refuse_overflow(conn, most);
    int status = hand_on(conn, vectors, count, total);
    if (status < 0 || conn->dead)
        return status; /* one that has just failed: `closed` will say so */
    conn->drained_owed = true;
    if (conn->loop->answers.of != conn && (conn_has_output(conn) || conn_handler(conn)->drained))
        loop_touch(conn->loop, conn);
    return 0;
}

int conn_queue(parley_conn *conn, const struct iovec *vectors, size_t count)
{
    size_t total = total_of(vectors, count);
    if (is_answer(conn, total))
        return gather(conn, vectors, count);
    if (conn_gathered(conn) > 0 && queue_answers(conn, 0) < 0)
        return PARLEY_RESOURCE;
    return send_or_queue(conn, vectors, count, total);
}
