/* Sessions of dials, to be resumed: of one host, the last one spoken with. Only where "dial-resume" asks for
 * it, since who watches the wire can tell that the same client came again.
 *
 * A ticket of TLS 1.3 is used once (RFC 8446 C.4) and each handshake brings another, so a stock of them lets
 * many be under way at once. A session of TLS 1.2 is put back. */
#include "base/sys.h"
#include "tls/inside.h"
#include <string.h>

static void forget(struct tls_keep *keep)
{
    while (keep->session_count > 0)
        SSL_SESSION_free(keep->sessions[--keep->session_count]);
    sys.free(keep->host);
    keep->host = NULL;
}

void resume_forget(struct tls_keep *keep)
{
    pthread_mutex_lock(&keep->lock);
    keep->generation++;
    forget(keep);
    pthread_mutex_unlock(&keep->lock);
}

static bool is_of(const struct tls_keep *keep, const char *host)
{
    return keep->host && strcmp(keep->host, host ? host : "") == 0;
}

/* The server has given a ticket. 1: it is kept. */
int resume_remember(SSL *ssl, SSL_SESSION *given)
{
    struct tls_session *session = session_of(ssl);
    struct tls_keep *keep = session->keep;
    pthread_mutex_lock(&keep->lock);
    bool current = session->generation == keep->generation;
    if (current && !is_of(keep, session->host)) {
        forget(keep);
        keep->host = text_copy(session->host ? session->host : "");
    }
    bool kept = current && keep->host && keep->session_count < MOST_SESSIONS;
    if (kept)
        keep->sessions[keep->session_count++] = given;
    pthread_mutex_unlock(&keep->lock);
    return kept;
}

/* OpenSSL tells neither of a session of TLS 1.2 that can be used again, nor of a ticket that takes its
 * ticket's place. */
void resume_put_back(struct tls_session *session)
{
    SSL_SESSION *used = SSL_get1_session(session->ssl);
    bool kept = SSL_session_reused(session->ssl) && SSL_SESSION_is_resumable(used) &&
                resume_remember(session->ssl, used);
    if (!kept)
        SSL_SESSION_free(used);
}

/* The last one that is still good. */
static SSL_SESSION *take(struct tls_keep *keep)
{
    while (keep->session_count > 0) {
        SSL_SESSION *last = keep->sessions[--keep->session_count];
        if (SSL_SESSION_is_resumable(last))
            return last;
        SSL_SESSION_free(last);
    }
    return NULL;
}

void resume_recall(struct tls_session *session)
{
    struct tls_keep *keep = session->keep;
    pthread_mutex_lock(&keep->lock);
    session->generation = keep->generation;
    SSL_SESSION *taken = is_of(keep, session->host) ? take(keep) : NULL;
    pthread_mutex_unlock(&keep->lock);
    if (taken)
        SSL_set_session(session->ssl, taken);
    SSL_SESSION_free(taken);
}
