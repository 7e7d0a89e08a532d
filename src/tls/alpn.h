/* ALPN (RFC 7301): the protocols spoken inside, as the option writes them and as the wire does. */
#ifndef TLS_ALPN_H
#define TLS_ALPN_H

#include <stddef.h>

/* Names with their length before them, the preferred first. */
struct alpn {
    unsigned size;
    unsigned char names[512];
};

/* "h2,http/1.1": 0, or PARLEY_USAGE with its sentence, which names `option`. */
int alpn_parse(struct alpn *alpn, const char *option, const char *text);

#endif
