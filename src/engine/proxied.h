/* PROXY headers of accepted connections: who may send one and must, and what it says of the client.
 *
 * Option proxy-from names the proxies. One of them has to begin with a header, and nobody else may send one.
 * Which is which follows from the address alone, never from what the bytes look like. */
#ifndef ENGINE_PROXIED_H
#define ENGINE_PROXIED_H

#include "engine/conn.h"
#include "net/proxy.h"

struct options;

/* What a connection knows of its header: part of its cover. */
struct proxied {
    struct header *header; /* what has come of it; kept while it speaks for another; NULL: none */
    bool is_wary;          /* this peer may send none: its first bytes are looked at, */
    unsigned char seen;    /* so many of them so far */
    unsigned char start[PROXY_START];
};

/* Whether who comes from this address has to begin with a header: until it is read nobody knows the client.
 */
bool proxied_expects(const struct options *options, const struct sockaddr *peer);
/* Whether the connection has to. */
bool proxied_begin(parley_conn *conn);
/* Bytes came where a header is expected. How many of them belong to it, which is then whole: its source is
 * the connection's peer from now on; 0: all, and more are needed; or a parley_status with its sentence. */
ssize_t proxied_received(parley_conn *conn, const void *bytes, size_t size);
/* Bytes came from somebody who may send no header: 0, or PARLEY_NETWORK when they are one. Bytes before the
 * one that shows it are not held back, as they may be all that a client says before it waits. */
int proxied_check(parley_conn *conn, const void *bytes, size_t size);
/* The peer has ended before its header was whole: PARLEY_NETWORK. */
int proxied_ended(const parley_conn *conn);
void proxied_free(parley_conn *conn);

/* Reads again what the header said, if one spoke for a client: the connection keeps its bytes alone, to which
 * the texts then point. */
bool proxied_header(const parley_conn *conn, struct proxy_header *header);

/* parley_tls() of a client whose TLS the proxy has ended: what the header says of it. */
const char *proxied_tls(const parley_conn *conn, const char *what);

#endif
