/* Whether the peer is who it should be: by the chain and the name, or by a pin, or not at all when told so.
 * A refusal is put in a sentence here, where the certificate is at hand. */
#include "base/error.h"
#include "base/escape.h"
#include "tls/inside.h"
#include "tls/names.h"
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 280, TIME = 40 };

static void say_time(struct tls_session *session, const X509 *certificate, int error)
{
    char time[TIME];
    bool early = error == X509_V_ERR_CERT_NOT_YET_VALID;
    names_time(early ? X509_get0_notBefore(certificate) : X509_get0_notAfter(certificate), time, sizeof time);
    snprintf(session->verdict, VERDICT, "%s %s", early ? "is not valid before" : "expired on", time);
}

static void say_name(struct tls_session *session, const X509 *certificate)
{
    char names[NAME];
    names_text(certificate, names, sizeof names);
    snprintf(session->verdict, VERDICT, "is for %s, not for %s", names, session->host ? session->host : "us");
}

static void say_issuer(struct tls_session *session, const X509 *certificate)
{
    char name[NAME], issuer[NAME];
    names_common(X509_get_issuer_name(certificate), name, sizeof name);
    escape_bytes(issuer, sizeof issuer, name, strlen(name), "\"", NULL); /* the rest is escaped already */
    snprintf(session->verdict, VERDICT,
             "was issued by \"%s\", who is not trusted here (%s FILE adds an authority)", issuer,
             session->dialled ? "--ca" : "--client-ca");
}

static void say_self_signed(struct tls_session *session, X509_STORE_CTX *store)
{
    unsigned char pin[PIN_SIZE];
    char text[PIN_TEXT];
    pin_of(pin, X509_STORE_CTX_get0_cert(store));
    pin_text(text, pin);
    snprintf(session->verdict, VERDICT, "is self-signed: nobody vouches for it (its fingerprint is %s%s)",
             text, session->dialled ? "; --pin trusts exactly that one" : "");
}

static const char *plain_words(int error)
{
    switch (error) {
    case X509_V_ERR_INVALID_PURPOSE: return "is not made for this purpose (extended key usage)";
    case X509_V_ERR_CERT_REVOKED: return "was revoked";
    case X509_V_ERR_EE_KEY_TOO_SMALL: return "has a key that is too weak";
    case X509_V_ERR_CA_KEY_TOO_SMALL: return "was issued with a key that is too weak";
    case X509_V_ERR_CA_MD_TOO_WEAK: return "is signed with a hash that is too weak";
    case X509_V_ERR_INVALID_CA: return "was issued by one that is no authority";
    default: return NULL;
    }
}

static void say_plainly(struct tls_session *session, int error)
{
    const char *words = plain_words(error);
    snprintf(session->verdict, VERDICT, "%s%s",
             words ? "" : "is refused: ", words ? words : X509_verify_cert_error_string(error));
}

static void say_why(struct tls_session *session, X509_STORE_CTX *store)
{
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int error = X509_STORE_CTX_get_error(store);
    certificate = certificate ? certificate : X509_STORE_CTX_get0_cert(store);
    switch (error) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED: say_time(session, certificate, error); break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: say_name(session, certificate); break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: say_self_signed(session, store); break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: say_issuer(session, certificate); break;
    default: say_plainly(session, error);
    }
}

/* Exactly one certificate is trusted: neither its chain nor its names or times say more. */
static int verify_pin(struct tls_session *session, X509_STORE_CTX *store)
{
    unsigned char pin[PIN_SIZE];
    char text[PIN_TEXT];
    pin_of(pin, X509_STORE_CTX_get0_cert(store));
    if (CRYPTO_memcmp(pin, session->policy->pin, PIN_SIZE) == 0) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    pin_text(text, pin);
    snprintf(session->verdict, VERDICT, "is not the pinned one: its fingerprint is %s", text);
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
    return 0;
}

static int verify_chain(struct tls_session *session, X509_STORE_CTX *store)
{
    if (X509_verify_cert(store) == 1)
        return 1;
    say_why(session, store);
    return 0;
}

int verify_peer(X509_STORE_CTX *store, void *unused)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = session_of(ssl);
    const struct tls_policy *policy = session->policy;
    (void)unused;
    if (session->dialled && policy->insecure) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    if (session->dialled && policy->pinned && !verify_pin(session, store))
        return 0;
    if (session->dialled && policy->pinned && !policy->dial_ca)
        return 1;
    return verify_chain(session, store);
}
