/* What session tickets are sealed with (RFC 5077, RFC 8446 4.6.1).
 *
 * Whoever has such a key can read what was said under TLS 1.2 in each session that it sealed, so none is kept
 * for long: it seals for an epoch, opens what it sealed for one more, and is gone. Keys are made at random
 * where they are first needed, in memory that all workers share, processes too. */
#ifndef TLS_TICKET_H
#define TLS_TICKET_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdint.h>

/* s: a ticket is good for that long at least, and for less than twice as long. */
enum { TICKET_EPOCH = 3600 };

struct ticket_key {
    unsigned char name[16], cipher[32], mac[32]; /* AES-256-CBC, HMAC-SHA-256 */
};

struct tickets {
    pthread_mutex_t lock; /* robust: a worker may be killed while it holds it */
    int64_t epoch;        /* since the machine started */
    struct ticket_key now, before;
};

/* Before the workers start. NULL with parley_error(). */
struct tickets *tickets_new(void);
/* NULL is allowed. */
void tickets_free(struct tickets *tickets);
/* The contexts of listeners seal and open with the keys of session->keep. */
void tickets_use(SSL_CTX *context);

#endif
