/* libev on raw descriptors: its own epoll backend, one shared receive buffer, direct send. */
#include "peer.h"

#include <ev.h>

struct connection {
    struct ev_io watcher;
    struct peer_rest rest;
};

static char buffer[PEER_BUFFER];

static void end_connection(struct ev_loop *loop, struct connection *connection)
{
    ev_io_stop(loop, &connection->watcher);
    close(connection->watcher.fd);
    free(connection->rest.bytes);
    free(connection);
}

static void want(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    if ((watcher->events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(loop, watcher);
    ev_io_set(watcher, watcher->fd, events);
    ev_io_start(loop, watcher);
}

static void serve(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct connection *connection = watcher->data;
    (void)events;
    switch (peer_echo(watcher->fd, &connection->rest, buffer, false)) {
    case PEER_WAITS_INPUT: want(loop, watcher, EV_READ); break;
    case PEER_WAITS_OUTPUT: want(loop, watcher, EV_WRITE); break;
    case PEER_OVER: end_connection(loop, connection); break;
    }
}

static void add_connection(struct ev_loop *loop, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return;
    }
    ev_io_init(&connection->watcher, serve, fd, EV_READ);
    connection->watcher.data = connection;
    ev_io_start(loop, &connection->watcher);
}

static void accept_all(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    int fd;
    (void)events;
    while ((fd = peer_accept(watcher->fd)) >= 0)
        add_connection(loop, fd);
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
    struct ev_io listening;
    if (!loop)
        return 1;
    ev_io_init(&listening, accept_all, peer_listen(peer_port(argc, argv), SOCK_NONBLOCK), EV_READ);
    ev_io_start(loop, &listening);
    ev_run(loop, 0);
    return 1;
}
