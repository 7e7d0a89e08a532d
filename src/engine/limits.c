#include "engine/limits.h"
#include "engine/census.h"
#include "engine/error.h"
#include "engine/server.h"
#include "engine/sys.h"
#include "engine/units.h"
#include <stdio.h>
#include <string.h>

/* ms: of a min-rate without a span. */
enum { USUAL_SPAN = 10000 };

/* ---- options ---- */

static int parse_message(struct limits *limits, const char *text)
{
    if (strlen(text) > sizeof limits->message - 2)
        return fail(PARLEY_USAGE, "when-full: the message is too long: at most %zu bytes",
                    sizeof limits->message - 2);
    snprintf(limits->message, sizeof limits->message, "%s\n", text);
    limits->when_full = FULL_MESSAGE;
    return 0;
}

int limits_parse_when_full(struct limits *limits, const char *text)
{
    static const char *const words[] = {
        [FULL_QUEUE] = "queue", [FULL_CLOSE] = "close", [FULL_RESET] = "reset"};
    static const char message[] = "message=";
    if (strncmp(text, message, sizeof message - 1) == 0)
        return parse_message(limits, text + sizeof message - 1);
    for (int i = 0; i <= FULL_RESET; i++)
        if (strcmp(text, words[i]) == 0) {
            limits->when_full = (enum when_full)i;
            return 0;
        }
    return fail(PARLEY_USAGE, "when-full '%s' is none of: queue, close, reset, message=TEXT", text);
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
    if (span == 0 || size > SIZE_MAX / 4)
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

int limits_check(const parley_server *server)
{
    const struct options *options = &server->options;
    if (options->limits.message_max > 0 && options->framing.kind == FRAMING_RAW)
        return fail(PARLEY_USAGE, "message-max: raw bytes are no messages (choose a framing)");
    return 0;
}

/* ---- what workers count together ---- */

int limits_open(parley_server *server)
{
    const struct limits *limits = &server->options.limits;
    if (limits->per_address == 0 && limits->per_network == 0)
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

static void say_the_end(int fd)
{
    enum { PIECE = 4096, MOST_PIECES = 16 };
    unsigned char bytes[PIECE];
    sys.shutdown(fd, SHUT_WR);
    for (int i = 0; i < MOST_PIECES; i++)
        if (sys.recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            return;
}

void limits_turn_away(const parley_server *server, int fd, enum when_full how)
{
    const struct limits *limits = &server->options.limits;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (how == FULL_RESET) {
        sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        return;
    }
    if (how == FULL_MESSAGE && server->options.tls.serving == TLS_OFF)
        sys.send(fd, limits->message, strlen(limits->message), MSG_DONTWAIT | MSG_NOSIGNAL);
    say_the_end(fd);
}
