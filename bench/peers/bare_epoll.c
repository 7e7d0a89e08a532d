/* The yardstick: an edge-triggered epoll loop with nothing between it and the kernel. */
#include "peer.h"

#include <sys/epoll.h>

enum { BATCH = 512 };

struct connection {
    int fd;
    bool ending; /* the end of input was announced, and an edge comes only once */
    struct peer_rest rest;
};

static char buffer[PEER_BUFFER];

static void end_connection(struct connection *connection)
{
    close(connection->fd);
    free(connection->rest.bytes);
    free(connection);
}

static bool add_connection(int epoll, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = connection}};
    if (!connection)
        return false;
    connection->fd = fd;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return true;
    free(connection);
    return false;
}

static void accept_all(int epoll, int listener)
{
    for (;;) {
        int fd = peer_accept(listener);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            return;
        if (!add_connection(epoll, fd))
            close(fd);
    }
}

static void serve(struct connection *connection, unsigned events)
{
    connection->ending |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (peer_echo(connection->fd, &connection->rest, buffer, connection->ending) == PEER_OVER)
        end_connection(connection);
}

int main(int argc, char **argv)
{
    int listener = peer_listen(peer_port(argc, argv), SOCK_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listening = {EPOLLIN, {.ptr = NULL}}, events[BATCH];
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) < 0)
        return 1;
    for (;;) {
        int count = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr)
                serve(events[i].data.ptr, events[i].events);
            else
                accept_all(epoll, listener);
    }
}
