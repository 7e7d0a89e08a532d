/* Connecting inside the loop, to an address that is already known: what a load generator does by the
 * thousand. Names, races and retries are dialling.c's. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "net/socket.h"
#include <errno.h>

/* The port is chosen when the peer is known, so that one local port serves for many peers; without it an
 * address runs out at 28 thousand connections. */
static int bind_source(int fd, const struct address *source)
{
    int on = 1;
    if (!source)
        return 0;
    if (source->storage.ss_family != AF_UNIX)
        sys.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return sys.bind(fd, (const struct sockaddr *)&source->storage, source->length);
}

static int close_failed(int fd, const char *call, const struct address *address)
{
    char text[ADDRESS_TEXT];
    int error = errno;
    sys.close(fd);
    int status = fail_call(
        call, address_text((const struct sockaddr *)&address->storage, address->length, text), error);
    errno = error;
    return status;
}

/* A descriptor that is connected, or about to be: for io_uring only made, the ring connects. */
int connecting_start(const struct loop *loop, const struct address *peer, const struct address *source)
{
    const struct poller *poller = loop->poller;
    int family = peer->storage.ss_family, now = !poller->connects || family == AF_UNIX;
    int fd = sys.socket(family, SOCK_STREAM | SOCK_CLOEXEC | (now ? SOCK_NONBLOCK : 0), 0);
    if (fd < 0)
        return fail_call("socket", NULL, errno);
    if (socket_tune(fd, family, &loop->server->options.socket) < 0)
        return close_failed(fd, "setsockopt", peer);
    if (bind_source(fd, source) < 0)
        return close_failed(fd, "bind", source);
    if (now && sys.connect(fd, (const struct sockaddr *)&peer->storage, peer->length) < 0 &&
        errno != EINPROGRESS)
        return close_failed(fd, "connect", peer);
    if (now && !poller->nonblocking && socket_set_blocking(fd, true) < 0)
        return close_failed(fd, "fcntl", peer);
    return fd;
}

int loop_connect(struct loop *loop, const struct address *peer, const struct address *source,
                 parley_conn **made)
{
    int fd = connecting_start(loop, peer, source);
    if (fd < 0)
        return fd;
    parley_conn *conn = loop_adopt(loop, fd, (const struct sockaddr *)&peer->storage, CONN_CONNECTING);
    if (!conn) {
        errno = ENOMEM;
        return fail(PARLEY_RESOURCE, "no memory for another connection");
    }
    *made = conn;
    return 0;
}

void conn_connected(parley_conn *conn)
{
    if (conn->dead)
        return;
    struct sockaddr_storage peer;
    socklen_t length = conn_peer(conn, &peer);
    if (socket_met_itself(conn->fd, (const struct sockaddr *)&peer, length)) {
        conn_failed(conn, "connect", ECONNREFUSED);
        return;
    }
    conn->connecting = conn->blocked = false;
    conn_established(conn);
}
