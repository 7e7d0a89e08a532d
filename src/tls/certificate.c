/* Certificates and keys from files, and a throw-away one for trying out. */
#include "base/error.h"
#include "tls/inside.h"
#include "tls/trouble.h"
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_check(const char *option, const char *path)
{
    struct stat about;
    if (path && stat(path, &about) == 0 && !S_ISREG(about.st_mode))
        return fail(PARLEY_USAGE, "%s %s: not a regular file", option, path);
    return 0; /* what else may be wrong is told by who opens it */
}

int certificate_load(SSL_CTX *context, const char *path, const char *key_path)
{
    trouble_clear();
    if (file_check("cert", path) < 0 || file_check("key", key_path) < 0)
        return PARLEY_USAGE;
    if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
        return trouble_with_file("cert", path);
    if (SSL_CTX_use_PrivateKey_file(context, key_path ? key_path : path, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_check_private_key(context) == 1)
        return 0;
    if (key_path)
        return fail(PARLEY_USAGE, "key %s, for cert %s: %s", key_path, path, trouble_text());
    return fail(PARLEY_USAGE, "cert %s: no key was named, and of one in the same file: %s", path,
                trouble_text());
}

/* One list in the file asks that every chain be looked up in it. */
static bool has_revocations(X509_STORE *store)
{
    bool found = false;
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects) && !found; i++)
        found = X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL;
    return found;
}

int authorities_load(SSL_CTX *context, const char *option, const char *path)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    trouble_clear();
    if (file_check(option, path) < 0)
        return PARLEY_USAGE;
    if (X509_STORE_load_file(store, path) != 1)
        return trouble_with_file(option, path);
    ERR_clear_error();
    /* What is named here is trusted as it is, an authority's certificate or a server's own. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (has_revocations(store))
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return 0;
}

/* ---- a throw-away one ---- */

enum { HOUR = 3600, DAYS = 30 };

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* Who reaches this machine does so under one of these. */
static void own_names(char *text, size_t room)
{
    char host[HOST_NAME_MAX + 1] = "";
    gethostname(host, sizeof host - 1);
    bool plain = *host && strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
                              strlen(host);
    snprintf(text, room, "DNS:localhost,IP:127.0.0.1,IP:::1%s%s", plain ? ",DNS:" : "", plain ? host : "");
}

static bool set_serial(X509 *certificate)
{
    uint64_t serial;
    return RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1;
}

static bool describe(X509 *certificate, EVP_PKEY *key)
{
    char names[HOST_NAME_MAX + 64];
    X509_NAME *name = X509_get_subject_name(certificate);
    own_names(names, sizeof names);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -HOUR) && /* clocks differ */
           X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * HOUR * DAYS) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"parley self-signed",
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_subject_alt_name, names) &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash");
}

int throwaway_make(X509 **certificate, EVP_PKEY **key)
{
    trouble_clear();
    *key = EVP_EC_gen("P-256");
    *certificate = *key ? X509_new() : NULL;
    if (*certificate && describe(*certificate, *key) && X509_sign(*certificate, *key, EVP_sha256()) > 0)
        return 0;
    X509_free(*certificate);
    EVP_PKEY_free(*key);
    *certificate = NULL;
    *key = NULL;
    return fail(PARLEY_RESOURCE, "a throw-away certificate could not be made: %s", trouble_text());
}
