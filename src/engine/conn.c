#include "engine/conn.h"
#include "engine/error.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "engine/sys.h"
#include <errno.h>
#include <linux/tcp.h>
#include <string.h>

/* From this size on, copying to the queue costs more than a system call of its own. */
enum { DIRECT_SEND = 1024 };

static const parley_handler *handler_of(const parley_conn *conn)
{
    return conn->loop->server->handler;
}

static const struct options *options_of(const parley_conn *conn)
{
    return &conn->loop->server->options;
}

bool conn_wants_input(const parley_conn *conn)
{
    if (conn->dead || conn->eof || conn->connecting)
        return false;
    /* A finishing connection reads on and discards: a peer blocked in its own send would never read ours. */
    return conn->finishing || (!conn->paused && queue_size(&conn->queue) < options_of(conn)->high_water);
}

void conn_die(parley_conn *conn, parley_reason reason)
{
    if (conn->dead)
        return;
    conn->dead = true;
    conn->reason = (unsigned char)reason;
    loop_touch(conn->loop, conn);
}

/* It ends as it was to end: finished, drained, truncated. */
void conn_over(parley_conn *conn)
{
    conn_die(conn, conn->reason);
}

/* ---- failing ---- */

/* The calls that can fail, by a number: a byte per connection instead of a pointer. */
static const char *const calls[] = {"",     "recv",   "send",     "connect",     "epoll_ctl",
                                    "poll", "select", "io_uring", "another call"};
enum { CALLS = sizeof calls / sizeof *calls };

static unsigned char number_of(const char *call)
{
    unsigned char number = 1;
    while (number < CALLS - 1 && strcmp(calls[number], call) != 0)
        number++;
    return number;
}

const char *conn_failed_call(const parley_conn *conn)
{
    return calls[conn->failed_call];
}

/* Whether the peer's kernel has acknowledged every byte; known even after a reset. */
static bool has_it_all(const parley_conn *conn)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (conn->peer.family == AF_UNIX || sys.getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return true;
    return info.tcpi_bytes_acked >= conn->sent;
}

void conn_failed(parley_conn *conn, const char *call, int error)
{
    bool reset = error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ECONNABORTED ||
                 error == ENETDOWN || error == ENETUNREACH || error == EHOSTUNREACH || error == ENOTCONN;
    if (conn->dead)
        return;
    /* The peer may leave as it likes once it has all we had to say. */
    if (conn->lingering && reset && has_it_all(conn)) {
        conn_over(conn);
        return;
    }
    conn->failed_call = number_of(call);
    conn->error = (unsigned short)error;
    conn_die(conn, conn->connecting ? PARLEY_UNREACHED : reset ? PARLEY_RESET : PARLEY_FAILED);
}

/* ---- sending ---- */

enum { MOST_VECTORS = 64 };

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

static size_t total_of(const struct iovec *vectors, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += vectors[i].iov_len;
    return total;
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
    conn->active_at = conn->progress_at = conn->loop->now;
    queue_drop(&conn->queue, &conn->loop->chunks, size);
}

/* Sends what the kernel takes now, without a copy: how much. */
static size_t send_directly(parley_conn *conn, const struct iovec *vectors, size_t count)
{
    ssize_t taken = offer(conn, vectors, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken < 0)
        send_failed(conn, errno);
    if (taken <= 0)
        return 0;
    count_sent(conn, (size_t)taken); /* the queue is empty: there is nothing to drop */
    return (size_t)taken;
}

static int append(parley_conn *conn, const struct iovec *vectors, size_t count, size_t skip)
{
    if (queue_size(&conn->queue) == 0)
        conn->progress_at = conn->loop->now;
    for (size_t i = 0; i < count; i++) {
        if (vectors[i].iov_len == 0)
            continue;
        size_t size = vectors[i].iov_len, over = skip < size ? skip : size;
        skip -= over;
        if (queue_append(&conn->queue, &conn->loop->chunks, (char *)vectors[i].iov_base + over, size - over) <
            0)
            return -1;
    }
    return 0;
}

int conn_queue(parley_conn *conn, const struct iovec *vectors, size_t count)
{
    size_t total = total_of(vectors, count), taken = 0;
    if (queue_size(&conn->queue) + total > options_of(conn)->queue_max) {
        conn_die(conn, PARLEY_OVERFLOW);
        return fail(PARLEY_FULL, "%zu bytes are queued and the peer does not take them (queue-max is %zu)",
                    queue_size(&conn->queue), options_of(conn)->queue_max);
    }
    if (total >= DIRECT_SEND && queue_size(&conn->queue) == 0 && !conn->blocked)
        taken = send_directly(conn, vectors, count);
    if (conn->dead)
        return 0; /* it has just failed: `closed` will say so */
    if (taken < total && append(conn, vectors, count, taken) < 0) {
        conn_die(conn, PARLEY_FAILED);
        return fail(PARLEY_RESOURCE, "no memory to queue %zu bytes", total);
    }
    conn->drained_owed = true;
    if (conn->loop->receiving != conn && (taken < total || handler_of(conn)->drained))
        loop_touch(conn->loop, conn);
    return 0;
}

void conn_sent(parley_conn *conn, size_t size)
{
    count_sent(conn, size);
    if (conn->loop->reporting)
        loop_touch(conn->loop, conn); /* a completion: settle is still to look */
}

void conn_answer(parley_conn *conn)
{
    if (conn->loop->poller->eager && conn_has_output(conn) && !conn->blocked) {
        ssize_t taken = conn_offer(conn, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken > 0)
            count_sent(conn, (size_t)taken);
        else if (taken < 0)
            send_failed(conn, errno);
    }
    if (conn_has_output(conn) || (conn->drained_owed && handler_of(conn)->drained))
        loop_touch(conn->loop, conn);
}

/* ---- ending ---- */

/* Everything is sent and the handler is through: tells the peer, and waits for its end if bytes of ours
 * could still be destroyed by a reset (close(2) with unread input sends one). */
static void say_the_end(parley_conn *conn)
{
    if (conn->finishing && (conn->eof || conn->sent == 0)) {
        conn_over(conn);
        return;
    }
    if (!conn->shut) {
        conn->shut = true;
        if (sys.shutdown(conn->fd, SHUT_WR) < 0 && conn->finishing) {
            conn_over(conn);
            return;
        }
    }
    if (conn->finishing && !conn->lingering)
        conn_linger(conn);
}

void conn_settle(parley_conn *conn)
{
    conn_release(conn);
    if (conn->drained_owed && queue_size(&conn->queue) == 0) {
        conn->drained_owed = false;
        if (handler_of(conn)->drained && !conn->finishing && !conn->dead)
            handler_of(conn)->drained(conn);
    }
    if (conn->half_closing && conn->eof && !conn->ended_owed)
        parley_finish(conn); /* both ends have been said */
    if (!conn->dead && queue_size(&conn->queue) == 0 && (conn->finishing || conn->half_closing))
        say_the_end(conn);
    if (!conn->dead)
        conn_arm(conn);
}

void conn_drain(parley_conn *conn)
{
    if (conn->dead || conn->finishing)
        return;
    if (conn->connecting)
        conn_die(conn, PARLEY_DRAINED);
    parley_finish(conn);
    conn->reason = PARLEY_DRAINED;
}
