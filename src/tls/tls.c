/* What a server has of TLS: loaded at the start, and anew at each reload. */
#include "tls/tls.h"
#include "base/error.h"
#include "base/sys.h"
#include "tls/inside.h"
#include "tls/names.h"
#include "tls/trouble.h"
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { NAMES = 256, TIME = 40 };

/* ---- what stays ---- */

struct tls_keep *tls_keep_new(void)
{
    struct tls_keep *keep = sys.calloc(1, sizeof *keep);
    OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT,
                     NULL); /* how the program ends is not ours: it may use OpenSSL too */
    trouble_clear();
    if (keep)
        pthread_mutex_init(&keep->lock, NULL);
    else
        fail(PARLEY_RESOURCE, "no memory for TLS");
    if (keep && (keep->tickets = tickets_new()))
        return keep;
    sys.free(keep);
    return NULL;
}

void tls_keep_free(struct tls_keep *keep)
{
    if (!keep)
        return;
    resume_forget(keep);
    pthread_mutex_destroy(&keep->lock);
    X509_free(keep->certificate);
    EVP_PKEY_free(keep->key);
    tickets_free(keep->tickets);
    sys.free(keep);
}

/* ---- its story ---- */

static void tell_certificate(struct tls *tls, const X509 *certificate)
{
    char names[NAMES], until[TIME];
    size_t used = strlen(tls->story);
    names_text(certificate, names, sizeof names);
    names_time(X509_get0_notAfter(certificate), until, sizeof until);
    snprintf(tls->story + used, sizeof tls->story - used, "%s for %s, valid until %s",
             used ? "; a certificate" : "TLS with a certificate", names, until);
}

static void tell_throwaway(struct tls *tls, const X509 *certificate)
{
    char names[NAMES], text[PIN_TEXT];
    unsigned char pin[PIN_SIZE];
    names_text(certificate, names, sizeof names);
    pin_of(pin, certificate);
    pin_text(text, pin);
    snprintf(tls->story, sizeof tls->story,
             "TLS with a throw-away certificate for %s; a client knows it by --pin %s", names, text);
}

static void tell(struct tls *tls, const struct tls_keep *keep)
{
    const struct tls_serving_contexts *serving = tls->serving;
    for (size_t i = 0; serving && i < serving->count; i++)
        if (tls->policy->serving == TLS_SELF_SIGNED)
            tell_throwaway(tls, keep->certificate);
        else
            tell_certificate(tls, SSL_CTX_get0_certificate(serving->items[i]));
}

const char *tls_story(const struct tls *tls)
{
    return tls->story;
}

/* ---- loading ---- */

static int load(struct tls *tls, struct tls_keep *keep)
{
    if (tls->policy->serving != TLS_OFF && !(tls->serving = serving_load(tls->policy, keep)))
        return PARLEY_USAGE;
    if (tls->policy->dials && !(tls->dialling = dialling_load(tls->policy)))
        return PARLEY_USAGE;
    tell(tls, keep);
    return 0;
}

int tls_open(struct tls **made, const struct tls_policy *policy, struct tls_keep *keep)
{
    struct tls *tls = sys.calloc(1, sizeof *tls);
    if (!tls)
        return fail(PARLEY_RESOURCE, "no memory for TLS");
    tls->policy = policy;
    tls->keep = keep;
    int status = load(tls, keep);
    trouble_clear();
    if (status == 0)
        resume_forget(keep);
    if (status == 0)
        *made = tls;
    else
        tls_close(tls);
    return status;
}

void tls_close(struct tls *tls)
{
    if (!tls)
        return;
    serving_drop(tls->serving);
    SSL_CTX_free(tls->dialling);
    sys.free(tls);
}
