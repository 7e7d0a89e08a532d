#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/sys.h"
#include "net/lookup.h"
#include "net/race.h"

enum { TARGET_TEXT = 320, ROUND_DELAY_FIRST = 100, ROUND_DELAY_MAX = 5000 };

static const struct socket_options plain_socket = {.nodelay = true};

/* As the user may have written it. */
static void print_target(const struct endpoint *endpoint, char text[TARGET_TEXT])
{
    bool ipv6 = strchr(endpoint->host, ':') != NULL;

    if (endpoint->kind == ENDPOINT_INET) {
        snprintf(text, TARGET_TEXT, "%s%s%s:%s", ipv6 ? "[" : "", endpoint->host, ipv6 ? "]" : "",
                 endpoint->port);
    } else {
        snprintf(text, TARGET_TEXT, "%s%s", endpoint->kind == ENDPOINT_UNIX ? "unix:" : "@", endpoint->path);
    }
}

/* ---- the local address ---------------------------------------------------------------------- */

/* "address:port", ":port", "port", or an address alone, which leaves the port to the kernel. */
static int parse_local(const char *text, struct endpoint *local)
{
    char with_port[TARGET_TEXT];

    if (endpoint_parse(local, text) == 0)
        return 0;
    snprintf(with_port, sizeof with_port, "%s 0", text);
    if (endpoint_parse(local, with_port) == 0)
        return 0;
    return fail(PARLEY_USAGE,
                "bind \"%.80s\": not a local address (write 127.0.0.1, :4000 or 127.0.0.1:4000)", text);
}

static int append_local(const struct endpoint *local, int family, struct address_list *list)
{
    struct address_list found;
    struct address *items;
    int status = resolve(local, family, true, &found);

    if (status != 0)
        return status;
    items = sys.realloc(list->items, (list->count + found.count) * sizeof *items);
    if (items != NULL) {
        memcpy(items + list->count, found.items, found.count * sizeof *items);
        list->items = items;
        list->count += found.count;
    }
    address_list_free(&found);
    return items != NULL ? 0 : fail_call("bind", local->host, ENOMEM);
}

/* Empty when nothing was asked for. A bare port is bound in whichever family is dialled. */
static int find_local(const struct dial_options *options, struct address_list *list)
{
    struct endpoint local;
    int status;

    if (options->bind == NULL)
        return 0;
    status = parse_local(options->bind, &local);
    if (status != 0)
        return status;
    if (local.kind != ENDPOINT_INET || endpoint_needs_lookup(&local)) {
        return fail(PARLEY_USAGE, "bind \"%.80s\": a local address is a number (127.0.0.1, ::1)",
                    options->bind);
    }
    if (local.host[0] != '\0')
        return append_local(&local, AF_UNSPEC, list);
    status = append_local(&local, AF_INET6, list);
    return status != 0 ? status : append_local(&local, AF_INET, list);
}

/* Bound to an address of one family, no other can be dialled. */
static int family_to_dial(int family, const struct address_list *local)
{
    int first = local->count > 0 ? local->items[0].storage.ss_family : AF_UNSPEC;
    int last = local->count > 0 ? local->items[local->count - 1].storage.ss_family : AF_UNSPEC;

    return family == AF_UNSPEC && first == last ? first : family;
}

static int check_local(const struct endpoint *endpoint, const struct dial_options *options, int family)
{
    const int own = endpoint_family(endpoint);

    if (options->bind == NULL || own == AF_UNSPEC || family == AF_UNSPEC || own == family)
        return 0;
    return fail(PARLEY_USAGE,
                "bind \"%.80s\": %s cannot be reached from there: give an IPv%d address for both",
                options->bind, endpoint->host, own == AF_INET ? 4 : 6);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void append_number(char *text, size_t size, const char *before, const struct address *address)
{
    size_t used = strlen(text);
    const struct sockaddr_in *inet = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)&address->storage;
    bool ipv6 = address->storage.ss_family == AF_INET6;
    char number[INET6_ADDRSTRLEN] = "";

    inet_ntop(address->storage.ss_family,
              ipv6 ? (const void *)&inet6->sin6_addr : (const void *)&inet->sin_addr, number, sizeof number);
    snprintf(text + used, size - used, "%s%s", before, number);
}

/* "localhost is ::1, 127.0.0.1" */
static void say_addresses(const struct dial_options *options, const char *host,
                          const struct address_list *list)
{
    enum { SHOWN = 8 };
    char text[256 + (SHOWN + 1) * (INET6_ADDRSTRLEN + 2)];
    size_t shown = list->count < SHOWN ? list->count : SHOWN;

    snprintf(text, sizeof text, "%s", host);
    for (size_t i = 0; i < shown; i++)
        append_number(text, sizeof text, i == 0 ? " is " : ", ", &list->items[i]);
    if (shown < list->count)
        snprintf(text + strlen(text), sizeof text - strlen(text), " and %zu more", list->count - shown);
    options->progress(options->context, text);
}

static bool is_named(const struct endpoint *endpoint)
{
    return endpoint_needs_lookup(endpoint) || strcasecmp(endpoint->host, "localhost") == 0;
}

static int dial_once(const struct endpoint *endpoint, const struct course *course, struct address *reached)
{
    const struct dial_options *options = course->options;
    struct address_list list;
    int result = lookup(endpoint, options->family, course->patience, &list);

    if (result != 0)
        return result;
    if (options->progress != NULL && is_named(endpoint))
        say_addresses(options, endpoint->host, &list);
    result = race(course, &list, reached);
    address_list_free(&list);
    return result;
}

/* Between half of it and all: clients that failed together do not come back together. */
static int64_t jittered(int64_t delay)
{
    return delay / 2 + (int64_t)(sys.random() % (uint64_t)(delay / 2 + 1));
}

static bool is_worth_repeating(int result, const struct patience *patience)
{
    return result < 0 && result != PARLEY_USAGE && result != PARLEY_STALE && !patience_is_over(patience);
}

/* 0 when the pause is over and another round may start. */
static int pause_before_round(const struct course *course, int64_t delay)
{
    const struct dial_options *options = course->options;
    struct pollfd cancel;
    enum waited waited;
    char last[512];
    int status;

    snprintf(last, sizeof last, "%s", parley_error());
    if (options->progress != NULL)
        options->progress(options->context, last); /* the last round's failure is the result */
    waited = patience_wait(course->patience, &cancel, 1, sys.now() + jittered(delay));
    if (waited == WAITED_ELAPSED)
        return 0;
    status = fail_impatient(course->patience, waited, "connect", course->target);
    return status == PARLEY_TIMEOUT ? fail(status, "%s (last: %s)", parley_error(), last) : status;
}

static int dial_rounds(const struct endpoint *endpoint, const struct course *course, struct address *reached)
{
    int64_t delay = ROUND_DELAY_FIRST;
    int result = dial_once(endpoint, course, reached);

    for (int left = course->options->retries; left > 0 && is_worth_repeating(result, course->patience);
         left--) {
        int status = pause_before_round(course, delay);
        if (status != 0)
            return status;
        delay = delay * 2 < ROUND_DELAY_MAX ? delay * 2 : ROUND_DELAY_MAX;
        result = dial_once(endpoint, course, reached);
    }
    return result;
}

int dial(const struct endpoint *endpoint, const struct dial_options *options, struct address *reached)
{
    char target[TARGET_TEXT];
    struct dial_options given = *options;
    struct address_list local = {0};
    struct patience patience = patience_start(options->timeout, options->cancel);
    struct course course = {.options = &given, .local = &local, .patience = &patience, .target = target};
    int result;

    if (given.socket == NULL)
        given.socket = &plain_socket;
    print_target(endpoint, target);
    if (endpoint->kind == ENDPOINT_INET && strspn(endpoint->port, "0") == strlen(endpoint->port))
        return fail(PARLEY_USAGE, "connect %s: nobody can listen on port 0", target);
    if (endpoint->kind != ENDPOINT_INET && options->bind != NULL)
        return fail(PARLEY_USAGE, "connect %s: a unix socket is dialled from no local address", target);
    result = find_local(options, &local);
    if (result == 0) {
        given.family = family_to_dial(options->family, &local);
        result = check_local(endpoint, options, given.family);
    }
    if (result == 0)
        result = dial_rounds(endpoint, &course, reached);
    address_list_free(&local);
    return result;
}
