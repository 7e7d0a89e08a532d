/* One connection's TLS: the handshake, then bytes both ways. */
#include "base/error.h"
#include "base/escape.h"
#include "base/sys.h"
#include "tls/inside.h"
#include "tls/trouble.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* Messages of the protocol's own (KeyUpdate, tickets, attempts to renegotiate) that may come between two
 * clear bytes once the handshake is done: each costs us more than it costs the peer. */
enum { MOST_CHATTER = 32 };

struct tls_session *session_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

void session_heard(struct tls_session *session)
{
    if (session->established && ++session->chatter > MOST_CHATTER)
        session->wire.cut = true;
}

/* ---- beginning ---- */

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* SNI names hosts, never addresses (RFC 6066); both are verified. */
static int expect(struct tls_session *session)
{
    X509_VERIFY_PARAM *verified = SSL_get0_param(session->ssl);
    const char *host = session->host;
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    X509_VERIFY_PARAM_set_hostflags(verified, flags);
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(verified, host) == 1 ? 0 : -1;
    return SSL_set_tlsext_host_name(session->ssl, host) == 1 && SSL_set1_host(session->ssl, host) == 1 ? 0
                                                                                                       : -1;
}

/* A name may end with the dot of the root, as look-ups know it; SNI and certificates have none. */
static char *name_of_host(const char *host)
{
    char *name = text_copy(host);
    size_t size = name ? strlen(name) : 0;
    if (size > 1 && name[size - 1] == '.')
        name[size - 1] = '\0';
    return name;
}

static int begin_dialled(struct tls_session *session, const char *host)
{
    const struct tls_policy *policy = session->policy;
    host = policy->server_name ? policy->server_name : host;
    SSL_set_connect_state(session->ssl);
    if (!host && !policy->insecure && !policy->pinned)
        return fail(PARLEY_USAGE, "TLS: there is no name that the certificate should be for: give one with "
                                  "server-name, or pin the certificate");
    if (host && ((session->host = name_of_host(host)) == NULL || expect(session) < 0))
        return fail(PARLEY_RESOURCE, "TLS: the name %s: %s", host, trouble_text());
    if (policy->resumes)
        resume_recall(session);
    return 0;
}

/* The contexts of the moment, kept whatever a reload does. */
static SSL *new_ssl(const struct tls *tls, struct tls_session *session)
{
    if (session->dialled)
        return SSL_new(tls->dialling);
    session->serving = tls->serving;
    atomic_fetch_add(&session->serving->users, 1);
    return SSL_new(session->serving->items[0]);
}

static int begin(const struct tls *tls, struct tls_session *session, const char *host)
{
    trouble_clear();
    session->ssl = new_ssl(tls, session);
    BIO *bio = session->ssl ? bio_over(&session->wire) : NULL;
    if (!bio)
        return fail(PARLEY_RESOURCE, "TLS: no session: %s", trouble_text());
    SSL_set_bio(session->ssl, bio, bio);
    if (SSL_set_app_data(session->ssl, session) != 1)
        return fail(PARLEY_RESOURCE, "TLS: no session: %s", trouble_text());
    if (session->dialled)
        return begin_dialled(session, host);
    SSL_set_accept_state(session->ssl);
    return 0;
}

struct tls_session *tls_session_new(const struct tls *tls, bool dialled, const char *host, tls_put *put,
                                    void *owner)
{
    struct tls_session *session = sys.calloc(1, sizeof *session);
    if (!session) {
        fail(PARLEY_RESOURCE, "no memory for a TLS session");
        return NULL;
    }
    session->policy = tls->policy;
    session->keep = tls->keep;
    session->dialled = dialled;
    session->wire.put = put;
    session->wire.owner = owner;
    if (begin(tls, session, host) == 0)
        return session;
    tls_session_free(session);
    return NULL;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    serving_drop(session->serving);
    sys.free(session->held);
    sys.free(session->host);
    sys.free(session);
}

/* ---- failing ---- */

enum { RECORD_ALERT = 0x15, RECORD_HANDSHAKE = 0x16, RECORD_OLD_HELLO = 0x80 };

/* The first byte tells, so nobody who speaks something else is kept waiting for more. */
static bool speaks_tls(const struct tls_session *session)
{
    unsigned char first = session->first[0];
    return session->first_size == 0 || first == RECORD_ALERT || first == RECORD_HANDSHAKE ||
           first & RECORD_OLD_HELLO;
}

static int say_plain(const struct tls_session *session)
{
    char text[4 * FIRST_BYTES + 1];
    escape_bytes(text, sizeof text, session->first, session->first_size, "\\\"", NULL);
    return fail(PARLEY_NETWORK, "TLS: the %s speaks no TLS: it began with \"%s\"",
                session->dialled ? "server" : "client", text);
}

static void forget_held(struct tls_session *session)
{
    sys.free(session->held);
    session->held = NULL;
    session->held_size = 0;
}

static enum tls_outcome broken(struct tls_session *session)
{
    if (!session->established && !speaks_tls(session))
        say_plain(session);
    else if (*session->verdict)
        fail(PARLEY_NETWORK, "TLS: the %s's certificate %s", session->dialled ? "server" : "client",
             session->verdict);
    else if (session->wire.cut)
        fail(PARLEY_NETWORK, "TLS: more than %d messages of the protocol's own in a row", MOST_CHATTER);
    else
        fail(PARLEY_NETWORK, "TLS: %s", trouble_text());
    trouble_clear();
    session->broken = true;
    forget_held(session);
    return TLS_BROKEN;
}

/* What an operation of OpenSSL's that did not succeed comes to. */
static enum tls_outcome outcome_of(struct tls_session *session, int returned)
{
    switch (SSL_get_error(session->ssl, returned)) {
    case SSL_ERROR_WANT_READ: return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN: return TLS_ENDED;
    default: return broken(session);
    }
}

/* ---- bytes ---- */

void tls_lend(struct tls_session *session, const void *bytes, size_t size)
{
    session->wire.lent = bytes;
    session->wire.lent_size = size;
    if (session->first_size > 0 || size == 0)
        return;
    session->first_size = size < FIRST_BYTES ? (unsigned char)size : FIRST_BYTES;
    memcpy(session->first, bytes, session->first_size);
}

enum tls_outcome tls_shake(struct tls_session *session)
{
    trouble_clear();
    if (!speaks_tls(session))
        return broken(session);
    int returned = SSL_do_handshake(session->ssl);
    session->established = returned == 1;
    if (session->established && session->dialled && session->policy->resumes)
        resume_put_back(session);
    return returned == 1 ? TLS_DONE : outcome_of(session, returned);
}

static int write_now(struct tls_session *session, const void *bytes, size_t size, size_t *written)
{
    trouble_clear();
    *written = 0;
    int returned = SSL_write_ex(session->ssl, bytes, size, written);
    if (returned == 1 || outcome_of(session, returned) == TLS_MORE)
        return 0;
    return PARLEY_NETWORK;
}

static int hold(struct tls_session *session, const void *bytes, size_t size)
{
    unsigned char *held = sys.realloc(session->held, session->held_size + size);
    if (!held)
        return fail(PARLEY_RESOURCE, "no memory to queue %zu bytes", size);
    memcpy(held + session->held_size, bytes, size);
    session->held = held;
    session->held_size += size;
    return 0;
}

/* The peer has finished its message: what was held back goes out. */
static void release_held(struct tls_session *session)
{
    size_t written;
    if (session->held_size == 0 || SSL_in_init(session->ssl))
        return;
    if (write_now(session, session->held, session->held_size, &written) == 0 && written > 0)
        forget_held(session);
}

/* A record at a time, so often that little is called for nothing: until what was lent is used up, or `room`.
 */
enum tls_outcome tls_read(struct tls_session *session, void *bytes, size_t room, size_t *size)
{
    int returned = 1;
    *size = 0;
    trouble_clear();
    if (session->broken)
        return TLS_BROKEN;
    for (size_t got; *size < room; *size += got) {
        returned = SSL_read_ex(session->ssl, (char *)bytes + *size, room - *size, &got);
        if (returned != 1)
            break;
        session->chatter = 0;
    }
    /* Asked before anything is written: OpenSSL remembers its last operation alone. */
    enum tls_outcome outcome = returned == 1 ? TLS_DONE : outcome_of(session, returned);
    release_held(session);
    return session->broken ? TLS_BROKEN : outcome;
}

int tls_write(struct tls_session *session, const void *bytes, size_t size)
{
    size_t written = 0;
    if (session->broken || session->end_said)
        return fail(PARLEY_STALE, "the TLS connection has ended");
    if (session->held_size == 0 && write_now(session, bytes, size, &written) < 0)
        return PARLEY_NETWORK;
    return written == 0 ? hold(session, bytes, size) : 0;
}

size_t tls_held(const struct tls_session *session)
{
    return session->held_size;
}

void tls_say_end(struct tls_session *session)
{
    if (session->end_said || session->broken || !session->established)
        return;
    trouble_clear();
    session->end_said = true;
    SSL_shutdown(session->ssl);
    trouble_clear();
}
