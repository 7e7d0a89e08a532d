#include "command/probe.h"

#include <stdlib.h>
#include <string.h>

static const char *take_port(const char *text, unsigned *port)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *port = (unsigned)number;
    return *text >= '0' && *text <= '9' && number >= 1 && number <= 65535 ? end : NULL;
}

bool port_range_parse(struct port_range *range, const char *text)
{
    const char *end = take_port(text, &range->first);
    range->last = range->first;
    if (end != NULL && *end == '-')
        end = take_port(end + 1, &range->last);
    return end != NULL && *end == '\0' && range->first <= range->last;
}

/* Somebody is there: that was all. */
static void opened(parley_conn *conn)
{
    printf("%s open\n", parley_peer(conn));
    fflush(stdout);
    parley_finish(conn);
}

static int set_up(const struct arguments *arguments, parley_server *server)
{
    static const char *const defaults[][2] = {{"model", "iterative+epoll"}, {"linger", "100ms"}};
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        parley_set(server, defaults[i][0], defaults[i][1]);
    return arguments_apply(arguments, server);
}

static int probe_address(const struct arguments *arguments, const char *address)
{
    static const parley_handler handler = PARLEY_HANDLER(.name = "probe", .opened = opened);
    parley_server *server = parley_server_new(&handler);
    if (server == NULL)
        return complain(arguments->subcommand, "no memory");
    int outcome = set_up(arguments, server);
    if (outcome == 0) {
        int status = parley_dial(server, address);
        status = status == PARLEY_OK ? parley_run(server) : status;
        outcome = status != PARLEY_OK ? complain_failure(arguments->subcommand, status) : 0;
    }
    parley_server_free(server);
    return outcome;
}

/* Probes every port of a word: "22", "20-25" or "ssh". */
static int probe_ports(const struct arguments *arguments, const char *host, const char *word)
{
    struct port_range range = {0, 0};
    char address[512];
    int outcome = 0;
    if (!port_range_parse(&range, word)) {
        if (*word >= '0' && *word <= '9')
            return complain(arguments->subcommand,
                            "%s is no port from 1 to 65535; say 22, 20-25 or 22 80 443", word);
        snprintf(address, sizeof address, "%s %s", host, word);
        return probe_address(arguments, address);
    }
    for (unsigned port = range.first; port <= range.last; port++) {
        snprintf(address, sizeof address, "%s%s%u", host, *host != '\0' ? " " : "", port);
        int code = probe_address(arguments, address);
        outcome = code != 0 ? code : outcome;
    }
    return outcome;
}

/* The host that stands apart from its ports; NULL when none does. */
static const char *host_of(const struct arguments *arguments, const char *port)
{
    const char *host = arguments_value(arguments, "ipaddr");
    host = host != NULL ? host : arguments_value(arguments, "domain");
    if (arguments->operand_count > 0 && (port != NULL || arguments->operand_count > 1))
        host = arguments->operands[0];
    return host != NULL || port == NULL ? host : "";
}

int probe(const struct arguments *arguments)
{
    const char *port = arguments_value(arguments, "port");
    const char *host = host_of(arguments, port);
    int outcome = 0;
    if (arguments_given(arguments, "send"))
        return complain(arguments->subcommand, "-z sends nothing: leave out --send, or -z");
    if (host == NULL) {
        char *address = arguments_address(arguments);
        outcome = address != NULL ? probe_address(arguments, address) : EXIT_USAGE;
        free(address);
        return outcome;
    }
    for (size_t i = host == arguments->operands[0] ? 1 : 0; i < arguments->operand_count; i++) {
        int code = probe_ports(arguments, host, arguments->operands[i]);
        outcome = code != 0 ? code : outcome;
    }
    if (port != NULL) {
        int code = probe_ports(arguments, host, port);
        outcome = code != 0 ? code : outcome;
    }
    return outcome;
}
