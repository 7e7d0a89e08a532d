/* The options of parley_set(): one table of name, kind and place. */
#include "base/error.h"
#include "base/units.h"
#include "engine/server.h"
#include "net/resolve.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    MODEL,
    FRAMING,
    COUNT,
    SIZE,
    BUFFER,
    TIME,
    SECONDS,
    SWITCH,
    FAMILY,
    LOG,
    TEXT,
    ALLOW,
    DENY,
    NETWORKS,
    POLICY,
    MIN_RATE,
    VERSION,
    ADDRESS,
    PERMISSIONS
};

struct setting {
    const char *name;
    enum kind kind;
    size_t place;
    uint64_t most;
};

#define PLACE(member) offsetof(struct options, member)

static const struct setting settings[] = {
    {"model", MODEL, PLACE(model), 0},
    {"workers", COUNT, PLACE(workers), MOST_WORKERS},
    {"reuseport", SWITCH, PLACE(socket.reuseport), 0},
    {"backlog", COUNT, PLACE(socket.backlog), INT32_MAX},
    {"nodelay", SWITCH, PLACE(socket.nodelay), 0},
    {"keepalive", SECONDS, PLACE(socket.keepalive), 32767},
    {"receive-buffer", BUFFER, PLACE(socket.receive_buffer), INT32_MAX / 2},
    {"send-buffer", BUFFER, PLACE(socket.send_buffer), INT32_MAX / 2},
    {"unix-mode", PERMISSIONS, PLACE(socket.unix_mode), 0777},
    {"family", FAMILY, PLACE(family), 0},
    {"bind", TEXT, PLACE(bind), ADDRESS_TEXT},
    {"framing", FRAMING, PLACE(framing), 0},
    {"idle", TIME, PLACE(idle), 0},
    {"life", TIME, PLACE(life), 0},
    {"handshake-timeout", TIME, PLACE(handshake_timeout), 0},
    {"proxy-from", NETWORKS, PLACE(proxy_from), 0},
    {"proxy-send", VERSION, PLACE(proxy_send), 0},
    {"proxy-source", ADDRESS, PLACE(proxy_source), 0},
    {"write-timeout", TIME, PLACE(write_timeout), 0},
    {"linger", TIME, PLACE(linger), 0},
    {"drain", TIME, PLACE(drain), 0},
    {"high-water", SIZE, PLACE(high_water), SIZE_MAX / 4},
    {"queue-max", SIZE, PLACE(queue_max), SIZE_MAX / 4},
    {"connections", COUNT, PLACE(connections), UINT32_MAX},
    {"connect-timeout", TIME, PLACE(connect_timeout), 0},
    {"retry", COUNT, PLACE(retries), INT32_MAX},
    {"per-address", COUNT, PLACE(limits.per_address), UINT32_MAX},
    {"per-network", COUNT, PLACE(limits.per_network), UINT32_MAX},
    {"accept-rate", COUNT, PLACE(limits.accept_rate), 1000000},
    {"when-full", POLICY, PLACE(limits.when_full), 0},
    {"when-over", POLICY, PLACE(limits.when_over), 0},
    {"first-byte", TIME, PLACE(limits.first_byte), 0},
    {"min-rate", MIN_RATE, PLACE(limits), 0},
    {"bytes-max", SIZE, PLACE(limits.bytes_max), SIZE_MAX / 4},
    {"message-max", SIZE, PLACE(limits.message_max), SIZE_MAX / 4},
    {"allow", ALLOW, PLACE(access), 0},
    {"deny", DENY, PLACE(access), 0},
    {"signals", SWITCH, PLACE(signals), 0},
    {"log", LOG, PLACE(log), 0},
    {"verbosity", COUNT, PLACE(verbosity), 2},
    {"notify", TEXT, PLACE(notify), sizeof((struct sockaddr_un *)0)->sun_path},
    {"watchdog", TIME, PLACE(watchdog), 0},
    {"explain", SWITCH, PLACE(explain), 0},
};

enum { SETTINGS = sizeof settings / sizeof *settings };

void options_default(struct options *options)
{
    *options = (struct options){
        .model = {&placement_prethread, &poller_epoll},
        .socket = {.nodelay = true},
        .family = AF_UNSPEC,
        .handshake_timeout = 10000,
        .write_timeout = 60000,
        .linger = 2000,
        .drain = 10000,
        .high_water = 256 << 10,
        .queue_max = 64 << 20,
        .limits.when_over.how = POLICY_CLOSE,
        .verbosity = 1,
    };
    tls_policy_default(&options->tls);
}

bool option_is_for_listeners(const char *name)
{
    static const char *const names[] = {
        "connections", "per-address", "per-network",   "accept-rate",       "when-full", "when-over",
        "first-byte",  "idle",        "life",          "handshake-timeout", "min-rate",  "bytes-max",
        "message-max", "queue-max",   "write-timeout", "proxy-from",        "allow",     "deny"};
    size_t i = 0, count = sizeof names / sizeof *names;
    while (i < count && strcmp(names[i], name) != 0)
        i++;
    return i < count;
}

static int one_of(const char *name, const char *value, const char *const *words, const int *meanings,
                  int *meaning)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(value, words[i]) == 0) {
            *meaning = meanings[i];
            return 0;
        }
    return fail(PARLEY_USAGE, "%s '%s' is none of: %s, %s%s%s", name, value, words[0], words[1],
                words[2] ? ", " : "", words[2] ? words[2] : "");
}

static int set_switch(const char *name, const char *value, bool *place)
{
    static const char *const words[] = {"on", "off", NULL};
    static const int meanings[] = {true, false};
    int meaning = 0, status = one_of(name, value, words, meanings, &meaning);
    if (status == 0)
        *place = meaning;
    return status;
}

static int set_family(const char *value, struct options *options)
{
    static const char *const words[] = {"any", "4", "6", NULL};
    static const int meanings[] = {AF_UNSPEC, AF_INET, AF_INET6};
    int status = one_of("family", value, words, meanings, &options->family);
    if (status == 0)
        options->socket.only_ipv6 = options->family == AF_INET6;
    return status;
}

static int set_framing(const char *value, struct options *options)
{
    struct framing framing;
    int status = framing_parse(&framing, value);
    if (status < 0)
        return status;
    options->framing = framing;
    return 0;
}

static int set_log(const char *value, enum log_format *place)
{
    static const char *const words[] = {"text", "json", "none", "off", NULL};
    static const int meanings[] = {LOG_TEXT, LOG_JSON, LOG_OFF, LOG_OFF};
    int meaning = LOG_OFF, status = one_of("log", value, words, meanings, &meaning);
    if (status == 0)
        *place = (enum log_format)meaning;
    return status;
}

static int set_version(const char *value, enum proxy_version *place)
{
    static const char *const words[] = {"v1", "v2", "off", NULL};
    static const int meanings[] = {PROXY_V1, PROXY_V2, 0};
    int meaning = 0, status = one_of("proxy-send", value, words, meanings, &meaning);
    if (status == 0)
        *place = (enum proxy_version)meaning;
    return status;
}

static int in_range(const struct setting *setting, const char *value, uint64_t number)
{
    if (number <= setting->most)
        return 0;
    return fail(PARLEY_USAGE, "%s '%s' is too large: at most %llu%s", setting->name, value,
                (unsigned long long)setting->most, setting->kind == SECONDS ? " s" : "");
}

static int set_number(const struct setting *setting, const char *value, void *place)
{
    uint64_t number;
    int status = setting->kind == COUNT ? parse_count(value, &number) : parse_size(value, &number);
    if (status < 0 || (status = in_range(setting, value, number)) < 0)
        return status;
    if (setting->kind == SIZE)
        *(size_t *)place = (size_t)number;
    else
        *(unsigned *)place = (unsigned)number; /* the signed ones are bounded by INT32_MAX in the table */
    return 0;
}

static int set_time(const struct setting *setting, const char *value, void *place)
{
    int64_t time;
    int status = parse_time(value, &time);
    if (status < 0)
        return status;
    if (setting->kind == TIME) {
        *(int64_t *)place = time;
        return 0;
    }
    uint64_t seconds = (uint64_t)(time + 999) / 1000;
    status = in_range(setting, value, seconds);
    if (status == 0)
        *(int *)place = (int)seconds;
    return status;
}

static int set_text(const struct setting *setting, const char *value, char *place)
{
    if (strlen(value) >= setting->most)
        return fail(PARLEY_USAGE, "%s is too long: at most %llu characters", setting->name,
                    (unsigned long long)setting->most - 1);
    memcpy(place, value, strlen(value) + 1);
    return 0;
}

static int set_permissions(const struct setting *setting, const char *value, mode_t *place)
{
    bool is_octal = value[strspn(value, "01234567")] == '\0';
    unsigned long mode = is_octal ? strtoul(value, NULL, 8) : 0;
    if (mode == 0 || mode > setting->most)
        return fail(PARLEY_USAGE, "%s '%s' is none from 1 to 0%llo, as in 0660", setting->name, value,
                    (unsigned long long)setting->most);
    *place = (mode_t)mode;
    return 0;
}

static int apply(const struct setting *setting, const char *value, struct options *options)
{
    void *place = (char *)options + setting->place;
    switch (setting->kind) {
    case MODEL: return model_parse(place, value);
    case FRAMING: return set_framing(value, options);
    case SWITCH: return set_switch(setting->name, value, place);
    case FAMILY: return set_family(value, options);
    case LOG: return set_log(value, place);
    case TEXT: return set_text(setting, value, place);
    case POLICY: return limits_parse_policy(place, setting->name, value);
    case MIN_RATE: return limits_parse_min_rate(place, value);
    case ALLOW:
    case DENY: return access_add(place, setting->kind == ALLOW, value);
    case NETWORKS: return network_list_add(place, value);
    case VERSION: return set_version(value, place);
    case ADDRESS: return resolve_literal(value, place);
    case PERMISSIONS: return set_permissions(setting, value, place);
    case TIME:
    case SECONDS: return set_time(setting, value, place);
    default: return set_number(setting, value, place);
    }
}

int option_set(struct options *options, const char *name, const char *value)
{
    for (int i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].name, name) == 0) {
            int status = apply(&settings[i], value, options);
            limits_apply(&options->limits, &options->framing);
            return status;
        }
    if (tls_policy_knows(name))
        return tls_policy_set(&options->tls, name, value);
    return fail(PARLEY_USAGE, "there is no option '%s' (parley.h lists them at parley_set)", name);
}
