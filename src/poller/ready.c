#include "poller/ready.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include <errno.h>

enum {
    MOST_ACCEPTS = 64,
    CROWD = 4 /* full bursts in a row that make the next one larger */
};

/* False: there is none, or accepting has to wait. */
static bool accept_one(struct loop *loop, struct listener *listener)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof peer;
    int fd = sys.accept4(listener->fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        loop_accepted(loop, listener, fd, (struct sockaddr *)&peer);
    else if (errno == EAGAIN)
        return false;
    else if (errno != EINTR)
        loop_accept_failed(loop, listener, errno);
    return listener->wanted;
}

/* How many are tried follows what came of late, so that a lone client does not cost a second call that says
 * EAGAIN, and a crowd does not cost a turn each. */
void ready_accept(struct loop *loop, struct listener *listener)
{
    if (!listener->wanted)
        return; /* the last place was taken since */
    unsigned most = listener->shared || listener->burst == 0 ? 1 : listener->burst, taken = 0;
    while (taken < most && accept_one(loop, listener))
        taken++;
    if (taken < most) {
        listener->burst = taken;
        listener->full_bursts = 0;
    } else if (++listener->full_bursts >= CROWD) {
        listener->burst = most * 2 < MOST_ACCEPTS ? most * 2 : MOST_ACCEPTS;
        listener->full_bursts = 0;
    }
}

bool ready_received_nothing(parley_conn *conn, ssize_t size)
{
    if (size == 0) {
        conn_ended(conn);
        return false;
    }
    int error = errno;
    if (error != EAGAIN && error != EINTR)
        conn_failed(conn, "recv", error);
    return error == EINTR;
}

/* What the kernel has noted for it, and forgets by being asked; 0: nothing. */
static int noted_error(const parley_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    return sys.getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

void ready_error(parley_conn *conn)
{
    int error = noted_error(conn);
    conn_failed(conn, "recv", error ? error : ECONNRESET);
}

void ready_look(parley_conn *conn)
{
    int error = conn->dead ? 0 : noted_error(conn);
    if (error)
        conn_failed(conn, "recv", error);
}

/* The kernel is short of memory. The socket may be writable all the while, so no edge would tell. */
static void starve(parley_conn *conn)
{
    conn->blocked = conn->starved = true;
    loop_touch(conn->loop, conn);
}

/* There is room: of one that was connecting, the outcome is known. */
static void establish(parley_conn *conn)
{
    int error = noted_error(conn);
    if (error)
        conn_failed(conn, "connect", error);
    else
        conn_connected(conn);
}

void ready_send(parley_conn *conn)
{
    if (conn->connecting)
        establish(conn);
    conn->blocked = false;
    while (conn_has_output(conn) && !conn->blocked) {
        ssize_t taken = conn_offer(conn, MSG_NOSIGNAL);
        if (taken >= 0)
            conn_sent(conn, (size_t)taken);
        else if (errno == EAGAIN)
            conn->blocked = true;
        else if (errno == ENOBUFS || errno == ENOMEM)
            starve(conn);
        else if (errno != EINTR)
            conn_failed(conn, "send", errno);
    }
}
