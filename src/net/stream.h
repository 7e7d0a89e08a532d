/* The blocking stream's own: the wire, and TLS over it (stream_tls.c). */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/address.h"
#include "net/patience.h"

struct stream_tls;

struct parley_stream {
    int fd;
    int64_t timeout;        /* ms for each call; 0 none */
    struct stream_tls *tls; /* NULL: it speaks plain */
    char peer[ADDRESS_TEXT];
    char host[sizeof((struct endpoint *)0)->host]; /* that was dialled; "": a unix socket */
};

/* What the wire has, up to `size` bytes: 0 is its end; or a parley_status. */
ssize_t stream_receive(const parley_stream *stream, const struct patience *patience, void *bytes,
                       size_t size);
/* All of it: 0 or a parley_status. */
int stream_send(const parley_stream *stream, const struct patience *patience, const void *bytes, size_t size);

/* The same inside TLS. */
ssize_t stream_tls_receive(parley_stream *stream, const struct patience *patience, void *bytes, size_t size);
int stream_tls_send(parley_stream *stream, const struct patience *patience, const void *bytes, size_t size);
/* Says close_notify: 0 or a parley_status. Without patience what the kernel does not take at once is lost. */
int stream_tls_say_end(parley_stream *stream, const struct patience *patience);
void stream_tls_free(struct stream_tls *tls);

#endif
