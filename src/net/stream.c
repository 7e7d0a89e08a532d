/* The blocking client of parley.h. Waiting is always poll(2)'s, so that one deadline covers a whole call. */
#include <errno.h>

#include "base/error.h"
#include "base/sys.h"
#include "net/dial.h"
#include "net/stream.h"
#include <stdio.h>

enum { SHORTAGE_PAUSE = 10 };

static parley_stream *stream_new(int fd, const struct endpoint *endpoint, const struct address *peer)
{
    parley_stream *stream = sys.calloc(1, sizeof *stream);

    if (stream == NULL) {
        sys.close(fd);
        fail_call("connect", NULL, ENOMEM);
        return NULL;
    }
    stream->fd = fd;
    if (endpoint->kind == ENDPOINT_INET)
        snprintf(stream->host, sizeof stream->host, "%s", *endpoint->host ? endpoint->host : "localhost");
    address_text((const struct sockaddr *)&peer->storage, peer->length, stream->peer);
    return stream;
}

parley_stream *parley_stream_dial(const char *address, int64_t timeout)
{
    struct dial_options options = {.timeout = timeout, .cancel = -1};
    struct endpoint endpoint;
    struct address peer;
    int fd;

    if (address == NULL || timeout < 0) {
        fail(PARLEY_USAGE, "parley_stream_dial: an address and a timeout of 0 or more are needed");
        return NULL;
    }
    if (endpoint_parse(&endpoint, address) != 0)
        return NULL;
    fd = dial(&endpoint, &options, &peer);
    return fd < 0 ? NULL : stream_new(fd, &endpoint, &peer);
}

void parley_stream_hang_up(parley_stream *stream)
{
    if (stream != NULL) {
        if (stream->tls != NULL)
            stream_tls_say_end(stream, NULL);
        stream_tls_free(stream->tls);
        sys.close(stream->fd);
        sys.free(stream);
    }
}

const char *parley_stream_peer(const parley_stream *stream)
{
    return stream->peer;
}

int parley_stream_set_timeout(parley_stream *stream, int64_t timeout)
{
    if (timeout < 0)
        return fail(PARLEY_USAGE, "parley_stream_set_timeout: a timeout is 0 or more milliseconds");
    stream->timeout = timeout;
    return 0;
}

int parley_stream_half_close(parley_stream *stream)
{
    struct patience patience = patience_start(stream->timeout, -1);
    int status = stream->tls != NULL ? stream_tls_say_end(stream, &patience) : 0;

    if (status < 0)
        return status;
    return sys.shutdown(stream->fd, SHUT_WR) == 0 ? 0 : fail_call("shutdown", stream->peer, errno);
}

/* ---- moving bytes --------------------------------------------------------------------------- */

/* After a call that failed with `errno`: 0 when it is to be repeated, or a parley_status. */
static int await(const parley_stream *stream, const struct patience *patience, const char *call, short events)
{
    struct pollfd fds[2] = {[1] = {.fd = stream->fd, .events = events}};
    enum waited waited;

    if (errno == EINTR)
        return 0;
    if (errno == ENOBUFS) {
        /* The kernel is short of memory for a moment, and nothing tells when it is not. */
        waited = patience_wait(patience, fds, 1, sys.now() + SHORTAGE_PAUSE);
        return waited == WAITED_ELAPSED ? 0 : fail_impatient(patience, waited, call, stream->peer);
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return fail_call(call, stream->peer, errno);
    waited = patience_wait(patience, fds, 2, INT64_MAX);
    return waited == WAITED_READY ? 0 : fail_impatient(patience, waited, call, stream->peer);
}

ssize_t stream_receive(const parley_stream *stream, const struct patience *patience, void *bytes, size_t size)
{
    for (;;) {
        ssize_t n = sys.recv(stream->fd, bytes, size, MSG_DONTWAIT);
        int status;

        if (n >= 0)
            return n;
        status = await(stream, patience, "recv", POLLIN);
        if (status != 0)
            return status;
    }
}

static ssize_t read_some(parley_stream *stream, const struct patience *patience, void *bytes, size_t size)
{
    if (stream->tls != NULL)
        return stream_tls_receive(stream, patience, bytes, size);
    return stream_receive(stream, patience, bytes, size);
}

ssize_t parley_stream_read(parley_stream *stream, void *bytes, size_t size)
{
    struct patience patience = patience_start(stream->timeout, -1);

    return read_some(stream, &patience, bytes, size);
}

ssize_t parley_stream_read_all(parley_stream *stream, void *bytes, size_t size)
{
    struct patience patience = patience_start(stream->timeout, -1);
    char *to = bytes;
    size_t got = 0;

    while (got < size) {
        ssize_t n = read_some(stream, &patience, to + got, size - got);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

int stream_send(const parley_stream *stream, const struct patience *patience, const void *bytes, size_t size)
{
    const char *from = bytes;
    size_t sent = 0;

    while (sent < size) {
        ssize_t n = sys.send(stream->fd, from + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        int status;

        if (n >= 0) {
            sent += (size_t)n;
            continue;
        }
        status = await(stream, patience, "send", POLLOUT);
        if (status != 0)
            return status;
    }
    return 0;
}

int parley_stream_write(parley_stream *stream, const void *bytes, size_t size)
{
    struct patience patience = patience_start(stream->timeout, -1);

    if (stream->tls != NULL)
        return stream_tls_send(stream, &patience, bytes, size);
    return stream_send(stream, &patience, bytes, size);
}
