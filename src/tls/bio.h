/* The wire as OpenSSL sees it: a BIO over the bytes a connection was lent, and its way of sending. */
#ifndef TLS_BIO_H
#define TLS_BIO_H

#include <openssl/bio.h>
#include <stdbool.h>

struct tls_wire {
    const unsigned char *lent; /* what has come and is not read yet; valid during one call only */
    size_t lent_size;
    int (*put)(void *owner, const void *bytes, size_t size); /* takes all of it: 0, or -1 */
    void *owner;
    bool cut; /* no more is read: the next read fails for good */
};

/* A BIO over `wire`, which must outlive it. NULL without memory. */
BIO *bio_over(struct tls_wire *wire);

#endif
