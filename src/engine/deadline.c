/* The deadlines of a connection share one timer: the earliest time that needs a look. Activity only moves
 * a time stamp; the timer finds out when it fires. */
#include "engine/conn.h"
#include "engine/cover.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "limit/crowd.h"
#include "limit/over.h"
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

enum {
    STARVED_RETRY = 10, /* ms: a kernel without memory for a send is asked again so soon */
    LOOK_AGAIN = 50     /* ms: whether a slow reader takes bytes is looked at no more often */
};

struct limit {
    int64_t due;
    parley_reason reason;
};

static void consider(struct limit *limit, int64_t since, int64_t span, parley_reason reason)
{
    if (span > 0 && since + span < limit->due)
        *limit = (struct limit){since + span, reason};
}

static void consider_limits(struct limit *limit, const struct limited *limited, const struct limits *limits)
{
    if (!limited->spoke)
        consider(limit, limited->opened_at, limits->first_byte, PARLEY_SILENT);
    consider(limit, limited->span_at, limits->rate_span, PARLEY_SLOW);
}

/* Since when the peer has kept back what is to be sent, where anything is. */
static int64_t stalled_since(const parley_conn *conn)
{
    return queue_size(&conn->queue) > 0 ? queue_moved_at(&conn->queue) : conn_cover(conn)->held_at;
}

static void consider_starved(struct limit *limit, const parley_conn *conn)
{
    if (conn->starved)
        consider(limit, conn->loop->now, STARVED_RETRY, PARLEY_FINISHED);
}

static struct limit earliest(const parley_conn *conn)
{
    const struct options *options = conn_options(conn);
    struct limit limit = {INT64_MAX, PARLEY_FINISHED};
    if (conn->connecting && conn->fd < 0)
        return limit; /* its dial keeps the time */
    if (conn->connecting) {
        consider(&limit, conn->active_at, options->connect_timeout, PARLEY_UNREACHED);
        return limit;
    }
    if (conn->leaving) {
        limit = (struct limit){over_until(conn), (parley_reason)conn->reason};
        consider_starved(&limit, conn);
        return limit;
    }
    if (conn->covered && !conn->opened)
        consider(&limit, conn_extra(conn)->established_at, options->handshake_timeout, PARLEY_REFUSED);
    if (conn->covered && conn->opened && !conn->guest)
        consider_limits(&limit, &conn_cover(conn)->limited, &options->limits);
    if (options->life > 0 && !conn->guest)
        consider(&limit, conn_extra(conn)->established_at, options->life, PARLEY_LIFETIME);
    if (!conn->guest)
        consider(&limit, conn->active_at, options->idle, PARLEY_IDLE);
    /* A program may be busy for as long as it likes. */
    if (conn_waiting(conn) > 0 && (!conn->guest || conn->dialled))
        consider(&limit, stalled_since(conn), options->write_timeout, PARLEY_STALLED);
    consider_starved(&limit, conn);
    return limit;
}

void conn_arm(parley_conn *conn)
{
    struct timers *timers = &conn->loop->timers;
    if (conn->lingering)
        return; /* its looks have times of their own */
    int64_t due = earliest(conn).due;
    if (due < timer_due(timers, &conn->deadline))
        timer_arm(timers, &conn->deadline, due);
}

/* ---- lingering ---- */

/* Bytes in the kernel's send queue. It counts the FIN, once said, as one more: that one is not waited for. */
static uint32_t unacknowledged(const parley_conn *conn)
{
    int bytes = 0;
    if (conn->is_unix || ioctl(conn->fd, SIOCOUTQ, &bytes) < 0)
        return 0;
    return bytes > conn->shut ? (uint32_t)bytes - conn->shut : 0;
}

bool conn_has_unsent(const parley_conn *conn)
{
    return conn_waiting(conn) > 0 || (conn->sent > 0 && unacknowledged(conn) > 0);
}

/* In the time to linger, or in `least` ms. */
static void look_in(parley_conn *conn, int64_t least)
{
    int64_t linger = conn->loop->server->options.linger;
    timer_arm(&conn->loop->timers, &conn->deadline, conn->loop->now + (linger > least ? linger : least));
}

void conn_linger(parley_conn *conn)
{
    conn->lingering = true;
    conn->active_at = conn->loop->now;
    if (!conn->guest)
        crowd_left(conn);
    look_in(conn, 1);
    loop_touch(conn->loop, conn);
}

/* A close would reset the connection if the peer still talks, and a reset destroys what it has not received:
 * a slow reader is waited for while it makes progress, and at most the write deadline without. */
static void look_lingering(parley_conn *conn)
{
    int64_t patience = conn_options(conn)->write_timeout;
    uint32_t left = unacknowledged(conn);
    if (left == 0 || conn->leaving) { /* that one has had its time */
        conn_over(conn);
        return;
    }
    if (left != conn->unacknowledged)
        conn->active_at = conn->loop->now;
    conn->unacknowledged = left;
    if (patience > 0 && conn->loop->now - conn->active_at >= patience)
        conn_die(conn, PARLEY_STALLED);
    else
        look_in(conn, LOOK_AGAIN);
}

/* It has spoken, and is still to be heard: behind a time in which the loop did not look a poller brings the
 * bytes of some connections after those of others. */
static bool is_not_idle_after_all(parley_conn *conn)
{
    int bytes = 0;
    if (conn->finishing || !conn_wants_input(conn) || ioctl(conn->fd, SIOCINQ, &bytes) < 0 || bytes == 0)
        return false;
    conn->active_at = conn->loop->now;
    return true;
}

/* Whether the time that is over is no reason to end it. */
static bool is_borne(parley_conn *conn, parley_reason reason)
{
    return (reason == PARLEY_SLOW && limited_keeps_up(conn)) ||
           (reason == PARLEY_IDLE && is_not_idle_after_all(conn));
}

static void look_overdue(parley_conn *conn, parley_reason reason)
{
    if (conn->connecting)
        conn_failed(conn, "connect", ETIMEDOUT);
    else if (conn->leaving)
        conn_over(conn);
    else if (reason == PARLEY_REFUSED)
        cover_too_late(conn);
    else if (is_borne(conn, reason))
        conn_look(conn); /* another time may be over as well */
    else
        conn_exceed(conn, reason);
}

void conn_look(parley_conn *conn)
{
    struct limit limit = earliest(conn);
    if (conn->lingering) {
        look_lingering(conn);
    } else if (limit.due <= conn->loop->now) {
        look_overdue(conn, limit.reason);
    } else if (conn->starved) {
        conn->starved = conn->blocked = false;
        loop_touch(conn->loop, conn);
    } else {
        conn_arm(conn);
    }
}
