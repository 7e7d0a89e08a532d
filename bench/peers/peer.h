/* What the echo servers written on raw descriptors share: the listener and one turn of an echo.
 *
 * TCP_NODELAY is set on the listener: on Linux every accepted connection inherits it, which saves
 * each server one system call per connection. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEER_BUFFER = 256 * 1024 };

static inline int peer_port(int argc, char **argv)
{
    int port = argc == 2 ? atoi(argv[1]) : 0;
    if (port <= 0 || port > 65535)
        exit(2);
    return port;
}

static inline struct sockaddr_in peer_address(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((unsigned short)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

static inline int peer_listen(int port, int type_flags)
{
    const int on = 1;
    struct sockaddr_in address = peer_address(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, SOMAXCONN) < 0)
        exit(1);
    return listener;
}

static inline int peer_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Bytes the kernel did not take yet. While there are any, the connection is not read. */
struct peer_rest {
    char *bytes;
    size_t size, sent;
};

enum peer_state { PEER_WAITS_INPUT, PEER_WAITS_OUTPUT, PEER_OVER };

static inline bool peer_would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static inline bool peer_keep_rest(struct peer_rest *rest, const char *bytes, size_t size)
{
    *rest = (struct peer_rest){.bytes = malloc(size), .size = size};
    if (rest->bytes)
        memcpy(rest->bytes, bytes, size);
    return rest->bytes != NULL;
}

static inline enum peer_state peer_flush(int fd, struct peer_rest *rest)
{
    while (rest->sent < rest->size) {
        ssize_t sent = send(fd, rest->bytes + rest->sent, rest->size - rest->sent, MSG_NOSIGNAL);
        if (sent < 0)
            return peer_would_block() ? PEER_WAITS_OUTPUT : PEER_OVER;
        rest->sent += (size_t)sent;
    }
    free(rest->bytes);
    *rest = (struct peer_rest){0};
    return PEER_WAITS_INPUT;
}

/* Echoes what is there. A read that does not fill the buffer has emptied the socket, so no second
 * read is spent on hearing EAGAIN, except when the end of input is announced (`until_end`). */
static inline enum peer_state peer_echo(int fd, struct peer_rest *rest, char *buffer, bool until_end)
{
    if (rest->bytes) {
        enum peer_state state = peer_flush(fd, rest);
        if (state != PEER_WAITS_INPUT)
            return state;
    }
    for (;;) {
        ssize_t size = recv(fd, buffer, PEER_BUFFER, 0);
        if (size <= 0)
            return size < 0 && peer_would_block() ? PEER_WAITS_INPUT : PEER_OVER;
        ssize_t sent = send(fd, buffer, (size_t)size, MSG_NOSIGNAL);
        if (sent < 0 && !peer_would_block())
            return PEER_OVER;
        sent = sent < 0 ? 0 : sent;
        if (sent < size)
            return peer_keep_rest(rest, buffer + sent, (size_t)(size - sent)) ? PEER_WAITS_OUTPUT : PEER_OVER;
        if (size < PEER_BUFFER && !until_end)
            return PEER_WAITS_INPUT;
    }
}

#endif
