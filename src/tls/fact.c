/* What is known of a session: for the log, for services, for the environment of programs. */
#include "base/escape.h"
#include "tls/inside.h"
#include "tls/names.h"
#include "tls/trouble.h"
#include <stdio.h>
#include <string.h>

enum { FACT = 1024 /* 255 bytes, each of them escaped, and more */ };

static const char *protocol(const struct tls_session *session, char *text)
{
    (void)text;
    return SSL_get_version(session->ssl);
}

static const char *cipher(const struct tls_session *session, char *text)
{
    (void)text;
    return SSL_CIPHER_get_name(SSL_get_current_cipher(session->ssl));
}

static const char *server_name(const struct tls_session *session, char *text)
{
    const char *name = SSL_get_servername(session->ssl, TLSEXT_NAMETYPE_host_name);
    if (name)
        escape_name(text, FACT, name, strlen(name));
    return text;
}

static const char *alpn(const struct tls_session *session, char *text)
{
    const unsigned char *name;
    unsigned size;
    SSL_get0_alpn_selected(session->ssl, &name, &size);
    if (size > 0)
        escape_name(text, FACT, name, size);
    return text;
}

static const char *peer_cn(const struct tls_session *session, char *text)
{
    const X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    if (certificate)
        names_common(X509_get_subject_name(certificate), text, FACT);
    return text;
}

static const char *peer_pin(const struct tls_session *session, char *text)
{
    const X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    unsigned char pin[PIN_SIZE];
    if (!certificate)
        return text;
    pin_of(pin, certificate);
    pin_text(text, pin);
    return text;
}

/* By what the peer's identity was established. */
static const char *verified(const struct tls_session *session, char *text)
{
    const struct tls_policy *policy = session->policy;
    if (!session->dialled)
        return SSL_get0_peer_certificate(session->ssl) ? "by its chain" : "";
    if (policy->insecure)
        return "";
    if (policy->pinned && !policy->dial_ca)
        return "by its pin";
    snprintf(text, FACT, "for %s", session->host ? session->host : "any name");
    return text;
}

static const char *resumed(const struct tls_session *session, char *text)
{
    (void)text;
    return SSL_session_reused(session->ssl) ? "yes" : "";
}

const char *tls_fact(const struct tls_session *session, const char *what)
{
    static _Thread_local char text[FACT];
    static const struct {
        const char *name;
        const char *(*tell)(const struct tls_session *session, char *text);
    } facts[] = {{"protocol", protocol}, {"cipher", cipher},   {"server-name", server_name},
                 {"alpn", alpn},         {"peer-cn", peer_cn}, {"peer-pin", peer_pin},
                 {"verified", verified}, {"resumed", resumed}};
    *text = '\0';
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (strcmp(facts[i].name, what) == 0) {
            const char *told = facts[i].tell(session, text);
            trouble_clear();
            return told ? told : "";
        }
    return NULL;
}
