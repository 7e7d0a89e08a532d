/* OpenSSL's contexts, made of what a policy says. */
#include "base/error.h"
#include "base/sys.h"
#include "tls/inside.h"
#include "tls/names.h"
#include "tls/trouble.h"
#include <openssl/evp.h>
#include <string.h>

/* Forward secrecy and authenticated encryption only; 1.3 has nothing else. */
#define CIPHERS_OF_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
enum { SECURITY_LEVEL = 2 /* 112 bits: RSA from 2048, no SHA-1 */ };

static void *no_context(SSL_CTX *context)
{
    fail(PARLEY_RESOURCE, "TLS: no context: %s", trouble_text());
    SSL_CTX_free(context);
    return NULL;
}

/* A terminal must not be asked while a server starts. */
static int no_passphrase(char *text, int room, int writing, void *unused)
{
    (void)text, (void)room, (void)writing, (void)unused;
    return -1;
}

static void on_message(int written, int version, int type, const void *bytes, size_t size, SSL *ssl,
                       void *unused)
{
    (void)version, (void)bytes, (void)size, (void)unused;
    if (!written && type == SSL3_RT_HANDSHAKE)
        session_heard(session_of(ssl));
}

/* What holds for both sides. No 0-RTT, which is off unless it is asked for: a replay is a message doubled. */
static SSL_CTX *context_new(const struct tls_policy *policy, const SSL_METHOD *method)
{
    trouble_clear();
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context || SSL_CTX_set_min_proto_version(context, policy->least) != 1 ||
        SSL_CTX_set_max_proto_version(context, policy->most) != 1 ||
        SSL_CTX_set_cipher_list(context, CIPHERS_OF_1_2) != 1)
        return no_context(context);
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_msg_callback(context, on_message);
    SSL_CTX_set_cert_verify_callback(context, verify_peer, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

/* ---- which session may be resumed ---- */

static void digest_file(EVP_MD_CTX *digest, const char *path)
{
    char bytes[4096];
    BIO *file = path ? BIO_new_file(path, "rb") : NULL;
    for (int size; file && (size = BIO_read(file, bytes, sizeof bytes)) > 0;)
        EVP_DigestUpdate(digest, bytes, (size_t)size);
    BIO_free(file);
}

static void digest_certificates(EVP_MD_CTX *digest, const struct tls_serving_contexts *serving)
{
    unsigned char pin[PIN_SIZE];
    for (size_t i = 0; i < serving->count; i++) {
        pin_of(pin, SSL_CTX_get0_certificate(serving->items[i]));
        EVP_DigestUpdate(digest, pin, sizeof pin);
    }
}

/* A session says that its client was once let in, so it is good only where the same would be asked of the
 * client and shown to it: same certificates, same authorities, same versions and protocols. */
static int bind_sessions(const struct tls_serving_contexts *serving, const struct tls_policy *policy)
{
    unsigned char id[SSL_MAX_SID_CTX_LENGTH];
    unsigned size = 0;
    int good = 1;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(digest);
        return -1;
    }
    digest_certificates(digest, serving);
    digest_file(digest, policy->client_ca);
    EVP_DigestUpdate(digest, &policy->least, sizeof policy->least);
    EVP_DigestUpdate(digest, &policy->most, sizeof policy->most);
    EVP_DigestUpdate(digest, serving->alpn.names, serving->alpn.size);
    good &= EVP_DigestFinal_ex(digest, id, &size);
    EVP_MD_CTX_free(digest);
    for (size_t i = 0; i < serving->count; i++)
        good &= SSL_CTX_set_session_id_context(serving->items[i], id, size);
    return good ? 0 : -1;
}

/* ---- listeners ---- */

/* The certificate for the name that is asked for; without one of that name the first. */
static int choose_certificate(SSL *ssl, int *alert, void *unused)
{
    const struct tls_serving_contexts *serving = session_of(ssl)->serving;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert, (void)unused;
    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i < serving->count; i++)
        if (names_fit(SSL_CTX_get0_certificate(serving->items[i]), name)) {
            SSL_set_SSL_CTX(ssl, serving->items[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK;
}

/* None in common is refused, as RFC 7301 wants: two that guess differently would misread each other. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                           const unsigned char *offered, unsigned offered_size, void *unused)
{
    const struct alpn *alpn = &session_of(ssl)->serving->alpn;
    unsigned char *place = NULL;
    (void)unused;
    int outcome = SSL_select_next_proto(&place, size, alpn->names, alpn->size, offered, offered_size);
    *chosen = place;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int want_client_certificates(SSL_CTX *context, const char *path)
{
    if (file_check("client-ca", path) < 0)
        return PARLEY_USAGE;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (!names)
        return trouble_with_file("client-ca", path);
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return authorities_load(context, "client-ca", path);
}

static int use_throwaway(struct tls_keep *keep, SSL_CTX *context)
{
    int status = keep->certificate ? 0 : throwaway_make(&keep->certificate, &keep->key);
    if (status == 0 && (SSL_CTX_use_certificate(context, keep->certificate) != 1 ||
                        SSL_CTX_use_PrivateKey(context, keep->key) != 1))
        return fail(PARLEY_RESOURCE, "the throw-away certificate: %s", trouble_text());
    return status;
}

static int serving_fill(SSL_CTX *context, const struct tls_policy *policy, struct tls_keep *keep,
                        size_t index)
{
    const struct tls_texts *keys = &policy->keys, *certificates = &policy->certificates;
    int status = certificates->count == 0 ? use_throwaway(keep, context)
                                          : certificate_load(context, certificates->items[index],
                                                             index < keys->count ? keys->items[index] : NULL);
    if (status == 0 && policy->client_ca)
        status = want_client_certificates(context, policy->client_ca);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
    tickets_use(context);
    if (policy->alpn)
        SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return status;
}

static int serving_add(struct tls_serving_contexts *serving, const struct tls_policy *policy,
                       struct tls_keep *keep)
{
    SSL_CTX *context = context_new(policy, TLS_server_method());
    if (!context)
        return PARLEY_RESOURCE;
    serving->items[serving->count++] = context;
    return serving_fill(context, policy, keep, serving->count - 1);
}

static int serving_open(struct tls_serving_contexts *serving, const struct tls_policy *policy,
                        struct tls_keep *keep, size_t count)
{
    int status = policy->alpn ? alpn_parse(&serving->alpn, "alpn", policy->alpn) : 0;
    while (status == 0 && serving->count < count)
        status = serving_add(serving, policy, keep);
    if (status == 0 && bind_sessions(serving, policy) < 0)
        status = fail(PARLEY_RESOURCE, "TLS: %s", trouble_text());
    return status;
}

struct tls_serving_contexts *serving_load(const struct tls_policy *policy, struct tls_keep *keep)
{
    size_t count = policy->certificates.count > 0 ? policy->certificates.count : 1;
    struct tls_serving_contexts *serving = sys.calloc(1, sizeof *serving);
    if (!serving || !(serving->items = sys.calloc(count, sizeof *serving->items))) {
        fail(PARLEY_RESOURCE, "no memory for %zu certificates", count);
        sys.free(serving);
        return NULL;
    }
    atomic_init(&serving->users, 1);
    if (serving_open(serving, policy, keep, count) == 0)
        return serving;
    serving_drop(serving);
    return NULL;
}

void serving_drop(struct tls_serving_contexts *serving)
{
    if (!serving || atomic_fetch_sub(&serving->users, 1) > 1)
        return;
    for (size_t i = 0; i < serving->count; i++)
        SSL_CTX_free(serving->items[i]);
    sys.free(serving->items);
    sys.free(serving);
}

/* ---- dials ---- */

static int trust(SSL_CTX *context, const struct tls_policy *policy)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (policy->dial_ca)
        return authorities_load(context, "ca", policy->dial_ca);
    if (!policy->pinned && !policy->insecure && SSL_CTX_set_default_verify_paths(context) != 1)
        return fail(PARLEY_USAGE, "the system's certificate authorities: %s (ca FILE names others)",
                    trouble_text());
    return 0;
}

static int dialling_fill(SSL_CTX *context, const struct tls_policy *policy)
{
    struct alpn alpn = {0};
    int status = trust(context, policy);
    if (policy->resumes) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, resume_remember);
    }
    if (status == 0 && policy->dial_certificate)
        status = certificate_load(context, policy->dial_certificate, policy->dial_key);
    if (status == 0 && policy->dial_alpn)
        status = alpn_parse(&alpn, "alpn", policy->dial_alpn);
    if (status == 0 && alpn.size > 0 && SSL_CTX_set_alpn_protos(context, alpn.names, alpn.size) != 0)
        status = fail(PARLEY_RESOURCE, "alpn %s: %s", policy->dial_alpn, trouble_text());
    return status;
}

SSL_CTX *dialling_load(const struct tls_policy *policy)
{
    SSL_CTX *context = context_new(policy, TLS_client_method());
    if (!context || dialling_fill(context, policy) == 0)
        return context;
    SSL_CTX_free(context);
    return NULL;
}
