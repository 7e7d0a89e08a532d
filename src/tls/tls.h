/* TLS over a connection: the room's face to the engine. It stands above the poller seam: it is lent the bytes
 * of the wire, gives clear bytes, and sends through the connection, so every model has it.
 *
 * A server has a struct tls: contexts, made before its workers start, and made anew at a reload. A connection
 * has a struct tls_session. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "tls/policy.h"
#include <stddef.h>

struct tls;
struct tls_keep;
struct tls_session;

/* ---- a server's ---- */

/* What stays the same however often the files are loaded: the throw-away certificate, and the secrets that
 * session tickets are sealed with, which all workers share, processes too. NULL with parley_error(). */
struct tls_keep *tls_keep_new(void);
void tls_keep_free(struct tls_keep *keep);

/* Loads what the policy names: 0, or a parley_status with its sentence. Policy and keep must outlive it. It
 * does not change any more: threads share it. */
int tls_open(struct tls **made, const struct tls_policy *policy, struct tls_keep *keep);
/* NULL is allowed. Sessions may outlive it. */
void tls_close(struct tls *tls);
/* What listeners show, in one sentence for the log; "" where they speak plain. That of a throw-away
 * certificate has its fingerprint. */
const char *tls_story(const struct tls *tls);

/* ---- a connection's ---- */

/* Sends bytes on the wire, or queues them, all of them: 0, or -1 without memory. */
typedef int tls_put(void *owner, const void *bytes, size_t size);

/* The session of an accepted connection, or of a dialled one, which expects the certificate of `host` (the
 * policy's server-name goes before; NULL: there is no name to expect). NULL with parley_error(). */
struct tls_session *tls_session_new(const struct tls *tls, bool dialled, const char *host, tls_put *put,
                                    void *owner);
void tls_session_free(struct tls_session *session);

enum tls_outcome {
    TLS_MORE,  /* it needs more bytes of the wire */
    TLS_DONE,  /* it is established; bytes were read or written */
    TLS_ENDED, /* the peer has said its end, close_notify */
    TLS_BROKEN /* for good; parley_error() says why. An alert has gone out where one was due. */
};

/* Lends bytes of the wire until they are used up, before the next call of the caller returns. */
void tls_lend(struct tls_session *session, const void *bytes, size_t size);
/* Goes on with the handshake, with what was lent. */
enum tls_outcome tls_shake(struct tls_session *session);
/* Reads clear bytes, up to `room`: *size of them, which are good whatever the outcome is. TLS_DONE: there may
 * be more; TLS_MORE: what was lent is used up. */
enum tls_outcome tls_read(struct tls_session *session, void *bytes, size_t room, size_t *size);
/* Sends clear bytes, all of them: 0, or -1 with parley_error(). */
int tls_write(struct tls_session *session, const void *bytes, size_t size);
/* Clear bytes it keeps since the peer is in the middle of a message of the protocol's: no more can be said
 * before the rest of that has come. */
size_t tls_held(const struct tls_session *session);
/* Says our end, close_notify, once. */
void tls_say_end(struct tls_session *session);

/* ---- who is there ---- */

/* "protocol", "cipher", "server-name", "alpn", "peer-cn", "peer-pin", "verified", "resumed": a text that
 * lives until the thread's next call; "" for what there is none of, NULL for an unknown word. */
const char *tls_fact(const struct tls_session *session, const char *what);

#endif
