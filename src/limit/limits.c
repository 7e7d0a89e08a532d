#include "limit/limits.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/units.h"
#include "engine/server.h"
#include "limit/census.h"
#include <stdio.h>
#include <string.h>

/* ms: of a min-rate without a span. */
enum { USUAL_SPAN = 10000 };

/* ---- options ---- */

static int parse_message(struct policy *policy, const char *name, const char *text)
{
    if (strlen(text) > sizeof policy->message - 2)
        return fail(PARLEY_USAGE, "%s: the message is too long: at most %zu bytes", name,
                    sizeof policy->message - 2);
    snprintf(policy->message, sizeof policy->message, "%s\n", text);
    policy->how = POLICY_MESSAGE;
    return 0;
}

int limits_parse_policy(struct policy *policy, const char *name, const char *text)
{
    static const char *const words[] = {
        [POLICY_QUEUE] = "queue", [POLICY_CLOSE] = "close", [POLICY_RESET] = "reset"};
    static const char message[] = "message=";
    bool queues = strcmp(name, "when-full") == 0;
    if (strncmp(text, message, sizeof message - 1) == 0)
        return parse_message(policy, name, text + sizeof message - 1);
    for (int i = queues ? POLICY_QUEUE : POLICY_CLOSE; i <= POLICY_RESET; i++)
        if (strcmp(text, words[i]) == 0) {
            policy->how = i;
            return 0;
        }
    return fail(PARLEY_USAGE, "%s '%s' is none of: %sclose, reset, message=TEXT", name, text,
                queues ? "queue, " : "");
}

int limits_parse_min_rate(struct limits *limits, const char *text)
{
    char bytes[32];
    uint64_t size = 0;
    int64_t span = USUAL_SPAN;
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    int status = 0;
    if (length >= sizeof bytes)
        return fail(PARLEY_USAGE, "min-rate '%s' is not BYTES or BYTES/TIME, as 100 or 1KiB/30s", text);
    memcpy(bytes, text, length);
    bytes[length] = '\0';
    if (slash)
        status = parse_time(slash + 1, &span);
    if (status == 0)
        status = parse_size(bytes, &size);
    if (status < 0)
        return status;
    if (span == 0 || size > SIZE_MAX / USUAL_SPAN)
        return fail(PARLEY_USAGE, "min-rate '%s': %s", text, span == 0 ? "in no time?" : "too many bytes");
    limits->rate_bytes = slash ? (size_t)size : (size_t)size * USUAL_SPAN / 1000;
    limits->rate_span = size > 0 ? span : 0;
    return 0;
}

void limits_apply(const struct limits *limits, struct framing *framing)
{
    size_t reach = framing->kind == FRAMING_U16BE   ? UINT16_MAX
                   : framing->kind == FRAMING_U32BE ? UINT32_MAX
                                                    : SIZE_MAX / 4;
    bool has_own = framing->kind == FRAMING_RAW || framing->kind == FRAMING_FIXED;
    if (limits->message_max > 0 && !has_own)
        framing->max = limits->message_max < reach ? limits->message_max : reach;
}

int limits_check(const struct options *options)
{
    if (options->limits.message_max > 0 && options->framing.kind == FRAMING_RAW)
        return fail(PARLEY_USAGE, "message-max: raw bytes are no messages (choose a framing)");
    return 0;
}

/* ---- what workers count together ---- */

int limits_open(parley_server *server)
{
    const struct door *door = &server->front;
    while (door && door->options->limits.per_address == 0 && door->options->limits.per_network == 0)
        door = door->next;
    if (!door)
        return 0;
    server->census = census_new();
    return server->census ? 0 : PARLEY_RESOURCE;
}

void limits_close(parley_server *server)
{
    census_free(server->census);
    server->census = NULL;
}

/* ---- turning away ---- */

void limits_close_on(int fd)
{
    enum { PIECE = 4096, MOST_PIECES = 16 };
    unsigned char bytes[PIECE];
    sys.shutdown(fd, SHUT_WR);
    for (int i = 0; i < MOST_PIECES; i++)
        if (sys.recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            return;
}

void limits_reset_on_close(int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void limits_turn_away(const struct door *door, int fd)
{
    const struct policy *policy = &door->options->limits.when_full;
    if (policy->how == POLICY_RESET) {
        limits_reset_on_close(fd);
        return;
    }
    if (policy->how == POLICY_MESSAGE && door->options->tls.serving == TLS_OFF)
        sys.send(fd, policy->message, strlen(policy->message), MSG_DONTWAIT | MSG_NOSIGNAL);
    limits_close_on(fd);
}
