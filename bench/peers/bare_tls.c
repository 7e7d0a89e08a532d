/* The yardstick of bench/tls: OpenSSL on a non-blocking descriptor, in an edge-triggered epoll loop. */
#include "peer.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>

enum { BATCH = 512 };

struct connection {
    SSL *ssl;
    char *rest; /* not written yet */
    size_t rest_size;
};

static char buffer[PEER_BUFFER];

static void end_connection(struct connection *connection)
{
    int fd = SSL_get_fd(connection->ssl);
    SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    close(fd);
    free(connection->rest);
    free(connection);
}

static void add_connection(SSL_CTX *context, int epoll, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET, {.ptr = connection}};
    connection->ssl = SSL_new(context);
    SSL_set_fd(connection->ssl, fd);
    SSL_set_accept_state(connection->ssl);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Whether the call that returned `size` only has to be made again later. */
static bool is_to_wait(const struct connection *connection, int size)
{
    int error = SSL_get_error(connection->ssl, size);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

enum outcome { ALL_WRITTEN, TO_WAIT, OVER };

static enum outcome write_rest(struct connection *connection)
{
    if (!connection->rest)
        return ALL_WRITTEN;
    int sent = SSL_write(connection->ssl, connection->rest, (int)connection->rest_size);
    if (sent <= 0)
        return is_to_wait(connection, sent) ? TO_WAIT : OVER;
    free(connection->rest);
    connection->rest = NULL;
    return ALL_WRITTEN;
}

static enum outcome write_back(struct connection *connection, int size)
{
    int sent = SSL_write(connection->ssl, buffer, size);
    if (sent > 0)
        return ALL_WRITTEN;
    if (!is_to_wait(connection, sent))
        return OVER;
    connection->rest = malloc((size_t)size);
    connection->rest_size = (size_t)size;
    memcpy(connection->rest, buffer, (size_t)size);
    return TO_WAIT;
}

static void serve(struct connection *connection)
{
    enum outcome outcome = write_rest(connection);
    while (outcome == ALL_WRITTEN) {
        int size = SSL_read(connection->ssl, buffer, sizeof buffer);
        if (size <= 0)
            outcome = is_to_wait(connection, size) ? TO_WAIT : OVER;
        else
            outcome = write_back(connection, size);
    }
    if (outcome == OVER)
        end_connection(connection);
}

static SSL_CTX *context_of(const char *certificate)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) != 1)
        exit(1);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

int main(int argc, char **argv)
{
    int listener = peer_listen(peer_port(argc - 1, argv), SOCK_NONBLOCK);
    SSL_CTX *context = context_of(argv[2]);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event listening = {EPOLLIN, {.ptr = NULL}}, events[BATCH];
    signal(SIGPIPE, SIG_IGN);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) < 0)
        return 1;
    for (;;) {
        int count = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr)
                serve(events[i].data.ptr);
            else
                for (int fd; (fd = peer_accept(listener)) >= 0;)
                    add_connection(context, epoll, fd);
    }
}
