/* Sessions of dials, to be resumed: the last one, of one host. Only where "dial-resume" asks for it, since
 * who watches the wire can tell that the same client came again. */
#include "engine/sys.h"
#include "tls/inside.h"
#include <string.h>

static void forget(struct tls_keep *keep)
{
    SSL_SESSION_free(keep->session);
    sys.free(keep->host);
    keep->session = NULL;
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
    return keep->session && strcmp(keep->host, host ? host : "") == 0;
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
    bool kept = current && keep->host;
    if (kept) {
        SSL_SESSION_free(keep->session);
        keep->session = given;
    }
    pthread_mutex_unlock(&keep->lock);
    return kept;
}

/* Under TLS 1.2 OpenSSL does not tell of a ticket that takes the place of the one it resumed with. */
void resume_renew(struct tls_session *session)
{
    SSL_SESSION *renewed = SSL_get1_session(session->ssl);
    bool kept = SSL_session_reused(session->ssl) && SSL_SESSION_is_resumable(renewed) &&
                resume_remember(session->ssl, renewed);
    if (!kept)
        SSL_SESSION_free(renewed);
}

void resume_recall(struct tls_session *session)
{
    struct tls_keep *keep = session->keep;
    pthread_mutex_lock(&keep->lock);
    session->generation = keep->generation;
    if (is_of(keep, session->host))
        SSL_set_session(session->ssl, keep->session);
    pthread_mutex_unlock(&keep->lock);
}
