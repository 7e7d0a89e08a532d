/* What the files of this room share. */
#ifndef TLS_INSIDE_H
#define TLS_INSIDE_H

#include "tls/alpn.h"
#include "tls/bio.h"
#include "tls/pin.h"
#include "tls/ticket.h"
#include "tls/tls.h"
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

enum { VERDICT = 512, FIRST_BYTES = 16, MOST_SESSIONS = 1024 };

/* The contexts of listeners, one for each certificate, the first for whoever asks for no name we have. A
 * session holds those it began with. */
struct tls_serving_contexts {
    atomic_uint users;
    SSL_CTX **items;
    size_t count;
    struct alpn alpn;
};

struct tls_keep {
    X509 *certificate; /* the throw-away one; NULL: not made yet */
    EVP_PKEY *key;
    /* That a session stays within its policy is the matter of its id context, not of these. */
    struct tickets *tickets;
    pthread_mutex_t lock;                 /* these four: */
    SSL_SESSION *sessions[MOST_SESSIONS]; /* of dials, the last one last, */
    unsigned session_count;
    char *host;          /* and with whom; */
    unsigned generation; /* counts the readings: sessions of one before are forgotten */
};

struct tls {
    const struct tls_policy *policy;
    struct tls_serving_contexts *serving; /* NULL: listeners speak plain */
    SSL_CTX *dialling;                    /* NULL: dials speak plain */
    struct tls_keep *keep;
    char story[1024];
};

struct tls_session {
    SSL *ssl;
    struct tls_wire wire;
    const struct tls_policy *policy;
    struct tls_serving_contexts *serving; /* NULL: dialled */
    struct tls_keep *keep;
    unsigned generation;
    bool dialled, established, broken, end_said;
    unsigned chatter; /* messages of the protocol's own since the last clear bytes */
    unsigned char first[FIRST_BYTES];
    unsigned char first_size; /* of the wire: what somebody who speaks no TLS said */
    unsigned char *held;      /* tls_held() */
    size_t held_size;
    char *host;            /* whom we expect; NULL: nobody by name */
    char verdict[VERDICT]; /* why the peer's certificate was refused */
};

/* context.c */
/* NULL with parley_error(). */
struct tls_serving_contexts *serving_load(const struct tls_policy *policy, struct tls_keep *keep);
void serving_drop(struct tls_serving_contexts *serving);
SSL_CTX *dialling_load(const struct tls_policy *policy);

/* certificate.c: each 0, or a parley_status with its sentence. */
/* A pipe would keep the supervisor waiting, and cannot be read twice. NULL is allowed. */
int file_check(const char *option, const char *path);
int certificate_load(SSL_CTX *context, const char *path, const char *key_path);
/* Certificates, and lists of revoked ones, that chains may end in. */
int authorities_load(SSL_CTX *context, const char *option, const char *path);
int throwaway_make(X509 **certificate, EVP_PKEY **key);

/* verify.c: OpenSSL asks whether it trusts the chain the peer showed; 1 or 0. */
int verify_peer(X509_STORE_CTX *store, void *unused);

/* resume.c */
void resume_forget(struct tls_keep *keep);
int resume_remember(SSL *ssl, SSL_SESSION *given);
/* Before the handshake of a dial, and after it. */
void resume_recall(struct tls_session *session);
void resume_put_back(struct tls_session *session);

/* policy.c: NULL without memory. */
char *text_copy(const char *text);

/* session.c */
struct tls_session *session_of(const SSL *ssl);
/* A message of the protocol's own has come. */
void session_heard(struct tls_session *session);

#endif
