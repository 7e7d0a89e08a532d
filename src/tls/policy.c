/* The options of TLS: one table of name, kind and place, as src/engine/option.c has for the others. */
#include "tls/policy.h"
#include "base/error.h"
#include "base/sys.h"
#include "tls/inside.h"
#include <openssl/ssl.h>
#include <string.h>

enum kind { SERVING, SWITCH, TEXT, TEXTS, HOST, ALPN, PIN, VERSION };
enum { LONGEST_HOST = 255 };

struct setting {
    const char *name;
    enum kind kind;
    size_t place;
};

#define PLACE(member) offsetof(struct tls_policy, member)

static const struct setting settings[] = {
    {"tls", SERVING, PLACE(serving)},
    {"cert", TEXTS, PLACE(certificates)},
    {"key", TEXTS, PLACE(keys)},
    {"client-ca", TEXT, PLACE(client_ca)},
    {"alpn", ALPN, PLACE(alpn)},
    {"tls-min", VERSION, PLACE(least)},
    {"tls-max", VERSION, PLACE(most)},
    {"dial-tls", SWITCH, PLACE(dials)},
    {"dial-ca", TEXT, PLACE(dial_ca)},
    {"dial-cert", TEXT, PLACE(dial_certificate)},
    {"dial-key", TEXT, PLACE(dial_key)},
    {"dial-alpn", ALPN, PLACE(dial_alpn)},
    {"server-name", HOST, PLACE(server_name)},
    {"pin", PIN, PLACE(pin)},
    {"insecure", SWITCH, PLACE(insecure)},
    {"dial-resume", SWITCH, PLACE(resumes)},
};

enum { SETTINGS = sizeof settings / sizeof *settings };

static const struct setting *find(const char *name)
{
    for (int i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

bool tls_policy_knows(const char *name)
{
    return find(name) != NULL;
}

void tls_policy_default(struct tls_policy *policy)
{
    *policy = (struct tls_policy){.least = TLS1_2_VERSION, .most = TLS1_3_VERSION};
}

static void texts_free(struct tls_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        sys.free(texts->items[i]);
    sys.free(texts->items);
}

void tls_policy_free(struct tls_policy *policy)
{
    for (int i = 0; i < SETTINGS; i++) {
        void *place = (char *)policy + settings[i].place;
        if (settings[i].kind == TEXT || settings[i].kind == HOST || settings[i].kind == ALPN)
            sys.free(*(char **)place);
        else if (settings[i].kind == TEXTS)
            texts_free(place);
    }
    tls_policy_default(policy);
}

/* ---- setting ---- */

char *text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = sys.malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static int no_memory(const char *name)
{
    return fail(PARLEY_RESOURCE, "no memory for the option %s", name);
}

static int set_text(const char *name, const char *value, char **place)
{
    char *copy = text_copy(value);
    if (!*value) {
        sys.free(copy);
        return fail(PARLEY_USAGE, "%s '' is empty", name);
    }
    if (!copy)
        return no_memory(name);
    sys.free(*place);
    *place = copy;
    return 0;
}

static int add_text(const char *name, const char *value, struct tls_texts *texts)
{
    char **items = sys.realloc(texts->items, (texts->count + 1) * sizeof *items);
    if (!items)
        return no_memory(name);
    texts->items = items;
    items[texts->count] = NULL;
    int status = set_text(name, value, &items[texts->count]);
    texts->count += status == 0;
    return status;
}

/* OpenSSL would take what begins with a dot for any name below it. */
static int set_host(const char *name, const char *value, char **place)
{
    if (strlen(value) > LONGEST_HOST)
        return fail(PARLEY_USAGE, "%s: the name of a host has at most %d bytes", name, LONGEST_HOST);
    if (*value == '.')
        return fail(PARLEY_USAGE, "%s '%s' begins with a dot: give the whole name of one host", name, value);
    return set_text(name, value, place);
}

static int set_serving(const char *value, enum tls_serving *place)
{
    static const char *const words[] = {
        [TLS_OFF] = "off", [TLS_ON] = "on", [TLS_SELF_SIGNED] = "self-signed"};
    for (int i = TLS_OFF; i <= TLS_SELF_SIGNED; i++)
        if (strcmp(value, words[i]) == 0) {
            *place = (enum tls_serving)i;
            return 0;
        }
    return fail(PARLEY_USAGE, "tls '%s' is none of: on, self-signed, off", value);
}

static int set_switch(const char *name, const char *value, bool *place)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return fail(PARLEY_USAGE, "%s '%s' is none of: on, off", name, value);
    *place = strcmp(value, "on") == 0;
    return 0;
}

static int set_version(const char *name, const char *value, int *place)
{
    if (strcmp(value, "1.2") != 0 && strcmp(value, "1.3") != 0)
        return fail(PARLEY_USAGE, "%s '%s' is none of: 1.2, 1.3", name, value);
    *place = strcmp(value, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    return 0;
}

static int set_alpn(const char *name, const char *value, char **place)
{
    struct alpn alpn;
    int status = alpn_parse(&alpn, name, value);
    return status < 0 ? status : set_text(name, value, place);
}

int tls_policy_set(struct tls_policy *policy, const char *name, const char *value)
{
    const struct setting *setting = find(name);
    if (!setting)
        return fail(PARLEY_USAGE, "there is no option '%s'", name);
    void *place = (char *)policy + setting->place;
    int status = 0;
    switch (setting->kind) {
    case SERVING: return set_serving(value, place);
    case SWITCH: return set_switch(name, value, place);
    case TEXT: return set_text(name, value, place);
    case HOST: return set_host(name, value, place);
    case TEXTS: return add_text(name, value, place);
    case ALPN: return set_alpn(name, value, place);
    case VERSION: return set_version(name, value, place);
    case PIN: status = pin_parse(policy->pin, value); policy->pinned = policy->pinned || status == 0;
    }
    return status;
}

/* ---- what fits together ---- */

static int check_serving(const struct tls_policy *policy)
{
    if (policy->serving == TLS_ON && policy->certificates.count == 0)
        return fail(PARLEY_USAGE,
                    "tls needs a certificate: cert FILE and key FILE (or tls self-signed, to try it out)");
    if (policy->serving == TLS_SELF_SIGNED && policy->certificates.count > 0)
        return fail(PARLEY_USAGE, "tls self-signed makes a certificate of its own: leave cert %s out",
                    policy->certificates.items[0]);
    if (policy->keys.count > policy->certificates.count)
        return fail(PARLEY_USAGE, "key %s belongs to no cert: each key follows its cert, in order",
                    policy->keys.items[policy->certificates.count]);
    if (policy->serving == TLS_OFF && (policy->certificates.count > 0 || policy->client_ca || policy->alpn))
        return fail(PARLEY_USAGE, "cert, client-ca and alpn are for a server that speaks TLS: set tls too");
    return 0;
}

static int check_dialling(const struct tls_policy *policy)
{
    if (policy->dial_key && !policy->dial_certificate)
        return fail(PARLEY_USAGE, "key %s belongs to no cert", policy->dial_key);
    if (policy->insecure && (policy->dial_ca || policy->pinned))
        return fail(PARLEY_USAGE, "insecure verifies nothing, so ca and pin have no use: choose one");
    if (!policy->dials && (policy->dial_ca || policy->pinned || policy->insecure || policy->server_name ||
                           policy->dial_certificate || policy->dial_alpn))
        return fail(PARLEY_USAGE,
                    "ca, pin, insecure, server-name, cert and alpn are for a client that speaks "
                    "TLS: set tls too");
    return 0;
}

int tls_policy_check(const struct tls_policy *policy)
{
    if (policy->least > policy->most)
        return fail(PARLEY_USAGE, "tls-min 1.3 and tls-max 1.2 leave no version");
    int status = check_serving(policy);
    return status < 0 ? status : check_dialling(policy);
}
