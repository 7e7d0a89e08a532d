#include "base/error.h"
#include "base/sys.h"
#include "engine/beside.h"
#include "engine/cover.h"
#include "engine/secure.h"
#include "limit/over.h"
#include <errno.h>
#include <linux/tcp.h>
#include <string.h>

void conn_die(parley_conn *conn, parley_reason reason)
{
    if (conn->dead)
        return;
    conn->dead = true;
    if (!conn_has_failed(conn) && !conn->leaving) /* those have their reason */
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

/* Whether the peer's kernel has acknowledged all that is the handler's; known even after a reset. Who leaves
 * without our close_notify has lost nothing. */
static bool has_it_all(const parley_conn *conn)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (conn->is_unix || sys.getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return true;
    return info.tcpi_bytes_acked >= (conn->secured ? conn_cover(conn)->end_at : conn->sent);
}

void conn_failed(parley_conn *conn, const char *call, int error)
{
    bool reset = error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ECONNABORTED ||
                 error == ENETDOWN || error == ENETUNREACH || error == EHOSTUNREACH || error == ENOTCONN;
    if (conn->dead || (conn->bridged && bridge_bears(conn, call, error)))
        return;
    /* The peer may leave as it likes once it has all we had to say. */
    if (conn->lingering && reset && has_it_all(conn)) {
        conn_over(conn);
        return;
    }
    conn->failed_call = number_of(call);
    /* To one that only listens, EPIPE says that a reset came after the end. */
    conn->error = (unsigned short)(error == EPIPE && conn->failed_call == 1 ? ECONNRESET : error);
    conn_die(conn, conn->connecting ? PARLEY_UNREACHED : reset ? PARLEY_RESET : PARLEY_FAILED);
}

/* ---- ending ---- */

/* Everything is sent and the handler is through: tells the peer, and waits for its end if bytes of ours
 * could still be destroyed by a reset (close(2) with unread input sends one). */
static void say_the_end(parley_conn *conn)
{
    if (conn->secured && !conn->shut && !secure_say_end(conn))
        return; /* its bytes go first */
    if (conn->finishing && (conn_wire_has_ended(conn) || conn->sent == 0)) {
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
    if (conn->covered && limited_allowance(conn, 1) == 0)
        conn_exceed(conn, PARLEY_QUOTA);
    conn_release(conn);
    if (conn->bridged)
        bridge_settle(conn);
    if (conn->drained_owed && conn_waiting(conn) == 0) {
        conn->drained_owed = false;
        if (conn_handler(conn)->drained && !conn->finishing && !conn->dead && !conn->bridged)
            conn_handler(conn)->drained(conn);
    }
    if (conn->half_closing && conn->eof && !conn->ended_owed)
        parley_finish(conn); /* both ends have been said */
    bool through = conn->finishing || (conn->half_closing && conn->opened);
    if (!conn->dead && queue_size(&conn->queue) == 0 && through)
        say_the_end(conn);
    if (!conn->dead)
        conn_arm(conn);
}

void conn_drain(parley_conn *conn)
{
    if (conn->dead || conn->finishing || (conn->bridged && conn->opened))
        return; /* what two others have to say to each other takes its time: the drain deadline ends it */
    if (!conn->opened)
        conn_die(conn, PARLEY_DRAINED); /* connecting, or not let in yet */
    parley_finish(conn);
    conn->reason = PARLEY_DRAINED;
}
