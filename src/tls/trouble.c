#include "tls/trouble.h"
#include "base/error.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

struct words {
    int library, reason;
    const char *text;
};

/* What a peer, or a file, does wrong, where OpenSSL's own words leave a user alone. */
static const struct words words[] = {
    {ERR_LIB_SSL, SSL_R_UNSUPPORTED_PROTOCOL, "the peer offers no version of TLS that is allowed here"},
    {ERR_LIB_SSL, SSL_R_VERSION_TOO_LOW, "the peer offers no version of TLS that is allowed here"},
    {ERR_LIB_SSL, SSL_R_UNEXPECTED_MESSAGE, "the peer said what has no place here: perhaps it speaks no TLS"},
    {ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER, "the peer offers no cipher that is allowed here"},
    {ERR_LIB_SSL, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client showed no certificate"},
    {ERR_LIB_SSL, SSL_R_NO_APPLICATION_PROTOCOL, "the client speaks none of the protocols offered (ALPN)"},
    {ERR_LIB_SSL, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was damaged or forged"},
    {ERR_LIB_SSL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer allows none of our versions of TLS"},
    {ERR_LIB_SSL, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the server wants a client's certificate"},
    {ERR_LIB_SSL, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "the peer found nothing it allows in common, or wants a client's certificate (alert: handshake "
     "failure)"},
    {ERR_LIB_SSL, SSL_R_TLSV1_ALERT_UNKNOWN_CA,
     "the peer does not trust our certificate (alert: unknown CA)"},
    {ERR_LIB_SSL, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
     "the peer refuses our certificate (alert: bad certificate)"},
    {ERR_LIB_SSL, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the peer refuses our certificate (alert: expired)"},
    {ERR_LIB_SSL, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
     "the peer refuses our certificate (alert: certificate unknown)"},
    {ERR_LIB_SSL, SSL_R_TLSV1_ALERT_NO_RENEGOTIATION, "the peer refuses to renegotiate"},
    {ERR_LIB_SSL, SSL_R_EE_KEY_TOO_SMALL, "the key is too weak"},
    {ERR_LIB_SSL, SSL_R_CA_KEY_TOO_SMALL, "the key of its issuer is too weak"},
    {ERR_LIB_SSL, SSL_R_CA_MD_TOO_WEAK, "the signature's hash is too weak"},
    {ERR_LIB_PEM, PEM_R_NO_START_LINE, "no certificate is in it (PEM is wanted)"},
    {ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED, "no private key is in it (PEM is wanted)"},
    {ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ, "it is protected by a passphrase, and nobody is asked for one"},
    {ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH, "the key does not belong to the certificate"},
    {ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH, "the key does not belong to the certificate"},
    {ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND, "no certificate is in it (PEM is wanted)"},
};

enum { WORDS = sizeof words / sizeof *words };

void trouble_clear(void)
{
    ERR_clear_error();
}

static const char *words_for(unsigned long error)
{
    for (int i = 0; i < WORDS; i++)
        if (ERR_GET_LIB(error) == words[i].library && ERR_GET_REASON(error) == words[i].reason)
            return words[i].text;
    return NULL;
}

static const char *own_words(unsigned long error)
{
    static _Thread_local char text[256];
    if (ERR_SYSTEM_ERROR(error))
        return reason_of("open", ERR_GET_REASON(error));
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        return "no memory";
    const char *reason = ERR_reason_error_string(error);
    if (reason)
        return reason;
    ERR_error_string_n(error, text, sizeof text);
    return text;
}

/* The queue begins with the cause; what follows are the callers that passed it on. The first for which there
 * are better words than OpenSSL's is taken, or else the cause. */
const char *trouble_text(void)
{
    unsigned long cause = ERR_get_error();
    const char *text = words_for(cause);
    for (unsigned long error; !text && !ERR_SYSTEM_ERROR(cause) && (error = ERR_get_error());)
        text = words_for(error);
    ERR_clear_error();
    if (text)
        return text;
    return cause ? own_words(cause) : "no reason is given";
}

int trouble_with_file(const char *option, const char *path)
{
    return fail(PARLEY_USAGE, "%s %s: %s", option, path, trouble_text());
}
