/* --source: the local addresses that a load connects from. */
#include "command/load.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SOURCES = 65536 };

/* The room doubles: it is full whenever the count is a power of two. */
static int make_room(struct load_order *order)
{
    const size_t count = order->source_count;
    if (count & (count - 1))
        return 0;
    char **sources = realloc(order->sources, (count ? count * 2 : 1) * sizeof *sources);
    if (!sources)
        return -1;
    order->sources = sources;
    return 0;
}

static int add(struct load_order *order, const char *text)
{
    char *copy = make_room(order) < 0 ? NULL : strdup(text);
    if (!copy)
        return -1;
    order->sources[order->source_count++] = copy;
    return 0;
}

static int add_range(struct load_order *order, const struct arguments *arguments, const char *text,
                     uint32_t first, uint32_t last)
{
    if (last < first || last - first >= MOST_SOURCES)
        return complain(arguments->subcommand, "--source %s: a range goes up, and has at most %d addresses",
                        text, MOST_SOURCES);
    for (uint32_t number = first; number <= last && number >= first; number++) {
        struct in_addr address = {htonl(number)};
        char dotted[INET_ADDRSTRLEN];
        if (add(order, inet_ntop(AF_INET, &address, dotted, sizeof dotted)) < 0)
            return complain(arguments->subcommand, "no memory");
    }
    return 0;
}

int load_sources_add(struct load_order *order, const struct arguments *arguments, const char *text)
{
    const char *dash = strchr(text, '-');
    char first[INET_ADDRSTRLEN];
    struct in_addr from, to;
    struct in6_addr other;
    if (!dash && inet_pton(AF_INET, text, &from) != 1 && inet_pton(AF_INET6, text, &other) != 1)
        return complain(arguments->subcommand,
                        "--source %s is no numeric address; one of this machine, such as 127.0.0.2", text);
    if (!dash)
        return add(order, text) < 0 ? complain(arguments->subcommand, "no memory") : 0;
    snprintf(first, sizeof first, "%.*s", (int)(dash - text), text);
    if (dash - text >= (long)sizeof first || inet_pton(AF_INET, first, &from) != 1 ||
        inet_pton(AF_INET, dash + 1, &to) != 1)
        return complain(arguments->subcommand,
                        "--source %s is no range of IPv4 addresses, such as 127.0.0.2-127.0.0.9", text);
    return add_range(order, arguments, text, ntohl(from.s_addr), ntohl(to.s_addr));
}
