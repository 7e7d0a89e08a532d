#include "engine/conn.h"
#include "engine/error.h"
#include "engine/frame.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "engine/sys.h"
#include <errno.h>
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
    if (conn->dead || conn->eof)
        return false;
    /* A finishing connection reads on and discards: a peer blocked in its own send would never read ours. */
    return conn->finishing || (!conn->paused && queue_size(&conn->queue) < options_of(conn)->high_water);
}

void conn_die(parley_conn *conn, parley_reason reason)
{
    if (conn->dead)
        return;
    conn->dead = true;
    if (!conn->finishing || conn->reason == PARLEY_FINISHED)
        conn->reason = (unsigned char)reason;
    loop_touch(conn->loop, conn);
}

/* ---- receiving ---- */

static bool deliver(void *context, const void *payload, size_t size)
{
    parley_conn *conn = context;
    if (handler_of(conn)->received)
        handler_of(conn)->received(conn, payload, size);
    return !conn->paused && !conn->finishing && !conn->dead;
}

static void feed(parley_conn *conn, const void *bytes, size_t size)
{
    const struct framing *framing = &options_of(conn)->framing;
    int status = frame_feed(framing, &conn->frame, bytes, size, deliver, conn);
    if (status < 0)
        conn_die(conn, status == PARLEY_NETWORK ? PARLEY_BAD_MESSAGE : PARLEY_FAILED);
}

void conn_received(parley_conn *conn, const void *bytes, size_t size)
{
    conn->received += size;
    conn->active_at = conn->loop->now;
    if (conn->dead || conn->finishing)
        return;
    if (options_of(conn)->framing.kind == FRAMING_RAW && !conn->frame)
        deliver(conn, bytes, size);
    else
        feed(conn, bytes, size);
    /* Reading may have to pause; and what high water held back is looked at when the queue falls. */
    if (!conn_wants_input(conn))
        loop_touch(conn->loop, conn);
}

static void conn_say_ended(parley_conn *conn)
{
    const struct framing *framing = &options_of(conn)->framing;
    conn->ended_owed = false;
    frame_finish(framing, &conn->frame, deliver, conn);
    if (conn->dead || conn->finishing)
        return;
    if (frame_is_open(framing, conn->frame))
        conn->reason = PARLEY_TRUNCATED;
    if (handler_of(conn)->ended)
        handler_of(conn)->ended(conn);
    else
        parley_finish(conn);
}

void conn_ended(parley_conn *conn)
{
    conn->eof = true;
    conn->active_at = conn->loop->now;
    loop_touch(conn->loop, conn);
    if (conn->dead || conn->finishing)
        return;
    if (conn->paused && frame_kept(conn->frame) > 0)
        conn->ended_owed = true;
    else
        conn_say_ended(conn);
}

static void conn_resume(parley_conn *conn)
{
    conn->resumed = false;
    if (conn->paused)
        return; /* again, before it could be resumed */
    if (conn->frame && !conn->finishing)
        feed(conn, NULL, 0);
    if (conn->ended_owed && !conn->paused && !conn->dead && !conn->finishing)
        conn_say_ended(conn);
}

/* The calls that can fail, by a number: a byte per connection instead of a pointer. */
static const char *const calls[] = {"",     "recv",   "send",     "epoll_ctl",
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

void conn_failed(parley_conn *conn, const char *call, int error)
{
    bool reset = error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ECONNABORTED ||
                 error == ENETDOWN || error == ENETUNREACH || error == EHOSTUNREACH || error == ENOTCONN;
    if (conn->dead)
        return;
    /* The peer may leave as it likes once it has all we had to say. */
    if (conn->lingering && reset) {
        conn_die(conn, PARLEY_FINISHED);
        return;
    }
    conn->failed_call = number_of(call);
    conn->error = (unsigned short)error;
    if (conn->finishing)
        conn->reason = PARLEY_FINISHED; /* not finished after all: let conn_die() say why */
    conn_die(conn, reset ? PARLEY_RESET : PARLEY_FAILED);
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

/* Sends what the kernel takes now, without a copy: how much. Failures show again when the queue is sent. */
static size_t send_directly(parley_conn *conn, const struct iovec *vectors, size_t count)
{
    ssize_t taken = offer(conn, vectors, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken <= 0)
        return 0;
    conn->sent += (uint64_t)taken;
    conn->active_at = conn->progress_at = conn->loop->now;
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
    if (taken < total && append(conn, vectors, count, taken) < 0) {
        conn_die(conn, PARLEY_FAILED);
        return fail(PARLEY_RESOURCE, "no memory to queue %zu bytes", total);
    }
    conn->drained_owed = true;
    if (taken < total || handler_of(conn)->drained)
        loop_touch(conn->loop, conn);
    return 0;
}

void conn_sent(parley_conn *conn, size_t size)
{
    conn->sent += size;
    conn->active_at = conn->progress_at = conn->loop->now;
    queue_drop(&conn->queue, &conn->loop->chunks, size);
    if (conn->loop->reporting)
        loop_touch(conn->loop, conn); /* a completion: settle is still to look */
}

/* ---- ending ---- */

/* Everything is sent and the handler is through: tells the peer, and waits for its end if bytes of ours
 * could still be destroyed by a reset (close(2) with unread input sends one). */
static void say_the_end(parley_conn *conn)
{
    if (conn->finishing && (conn->eof || conn->sent == 0)) {
        conn_die(conn, PARLEY_FINISHED);
        return;
    }
    if (!conn->shut) {
        conn->shut = true;
        if (sys.shutdown(conn->fd, SHUT_WR) < 0 && conn->finishing) {
            conn_die(conn, PARLEY_FINISHED);
            return;
        }
    }
    if (conn->finishing && !conn->lingering) {
        conn->lingering = true;
        conn->progress_at = conn->loop->now;
        conn->loop->count--;
        loop_touch(conn->loop, conn);
    }
}

void conn_settle(parley_conn *conn)
{
    if (conn->resumed)
        conn_resume(conn);
    if (conn->drained_owed && queue_size(&conn->queue) == 0) {
        conn->drained_owed = false;
        if (handler_of(conn)->drained && !conn->finishing)
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
    parley_finish(conn);
    conn->reason = PARLEY_DRAINED;
}
