/* What the options say of TLS. Listeners and dials are told apart: a relay has both. */
#ifndef TLS_POLICY_H
#define TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

enum { PIN_SIZE = 32 /* SHA-256 */ };

/* Texts in the order they were given; owned by the policy. */
struct tls_texts {
    char **items;
    size_t count;
};

enum tls_serving { TLS_OFF, TLS_ON, TLS_SELF_SIGNED };

struct tls_policy {
    /* Listeners. */
    enum tls_serving serving; /* "tls" */
    struct tls_texts certificates,
        keys;        /* PEM files, paired in order; a missing key is in the certificate's */
    char *client_ca; /* PEM file: who must have signed a client's certificate; NULL: none */
    char *alpn;      /* "h2,http/1.1", the preferred first */
    /* Dials. */
    bool dials;                        /* "dial-tls" */
    char *dial_ca;                     /* PEM file; NULL: the system's */
    char *dial_certificate, *dial_key; /* our own, if the server asks */
    char *dial_alpn;
    char *server_name; /* NULL: the host that is dialled */
    bool pinned, insecure, resumes;
    unsigned char pin[PIN_SIZE]; /* SHA-256 of the server's certificate, DER */
    /* Both: versions as OpenSSL numbers them. */
    int least, most;
};

void tls_policy_default(struct tls_policy *policy);
void tls_policy_free(struct tls_policy *policy);

/* Whether `name` is an option of TLS. */
bool tls_policy_knows(const char *name);
/* Sets one by its parley_set() name: 0 or a parley_status with its sentence. */
int tls_policy_set(struct tls_policy *policy, const char *name, const char *value);
/* Whether they fit each other: 0, or PARLEY_USAGE with its sentence. */
int tls_policy_check(const struct tls_policy *policy);

#endif
