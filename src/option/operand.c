/* Which addresses the command line names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option/complain.h"

struct collection {
    const struct arguments *arguments;
    const char *host, *port; /* of -i or -d, and of -p */
    bool host_used, port_used;
    char **addresses;
    size_t count;
};

/* Every operand and option gives one address at most. */
static bool collection_open(struct collection *collection, const struct arguments *arguments)
{
    const char *host = arguments_value(arguments, "ipaddr"), *name = arguments_value(arguments, "domain");

    *collection = (struct collection){
        .arguments = arguments, .host = host ? host : name, .port = arguments_value(arguments, "port")};
    if (host && name) {
        complain(arguments->subcommand, "--ipaddr and --domain both name the host; give one");
        return false;
    }
    collection->addresses =
        calloc(arguments->operand_count + arguments->given_count + 2, sizeof *collection->addresses);
    if (!collection->addresses)
        complain(arguments->subcommand, "no memory");
    return collection->addresses != NULL;
}

static bool add(struct collection *collection, const char *before, const char *between, const char *after)
{
    const size_t size = strlen(before) + strlen(between) + strlen(after) + 1;
    char *text = malloc(size);

    if (!text) {
        complain(collection->arguments->subcommand, "no memory");
        return false;
    }
    snprintf(text, size, "%s%s%s", before, between, after);
    collection->addresses[collection->count++] = text;
    return true;
}

static bool is_port(const char *text)
{
    return text && *text && text[strspn(text, "0123456789")] == '\0';
}

/* A host that names no port: "localhost", "127.0.0.1", "::1", "[::1]". */
static bool is_host(const char *text)
{
    const char *colon = strchr(text, ':');

    if (is_port(text) || *text == '@' || strchr(text, '/') || strchr(text, ' '))
        return false;
    if (*text == '[')
        return text[strlen(text) - 1] == ']';
    return !colon || (colon[1] != '\0' && strchr(colon + 1, ':'));
}

/* "::1:3000" is an IPv6 address too, so what has many colons is told how a port is written. */
static void complain_no_port(const struct collection *collection, const char *host)
{
    const struct subcommand *subcommand = collection->arguments->subcommand;

    if (strchr(host, ':') && *host != '[')
        complain(subcommand, "%s names no port; say [::1]:3000 or ::1 3000 for IPv6, host:3000 for others",
                 host);
    else
        complain(subcommand, "%s names no port; say %s 3000, or a port alone", host, host);
}

/* What is an address nowhere here: nothing, and those of browsers. */
static bool is_sound(const struct collection *collection, const char *operand)
{
    const struct subcommand *subcommand = collection->arguments->subcommand;
    const char *scheme = strstr(operand, "://");

    if (!*operand)
        complain(subcommand, "an address is empty; give a PORT, HOST PORT or HOST:PORT");
    else if (scheme)
        complain(subcommand, "%s: leave out %.*s://, and what follows the port: an address is HOST:PORT",
                 operand, (int)(scheme - operand), operand);
    return *operand && !scheme;
}

/* Takes one operand, or two where they are a pair. Returns how many; 0 after a complaint. */
static size_t take_operand(struct collection *collection, const char *const *operands)
{
    const bool host = is_host(operands[0]);

    if (!is_sound(collection, operands[0]))
        return 0;
    if (host && is_port(operands[1]))
        return add(collection, operands[0], " ", operands[1]) ? 2 : 0;
    if (host && collection->port) {
        collection->port_used = true;
        return add(collection, operands[0], " ", collection->port);
    }
    if (host) {
        complain_no_port(collection, operands[0]);
        return 0;
    }
    if (is_port(operands[0]) && collection->host) {
        collection->host_used = true;
        return add(collection, collection->host, " ", operands[0]);
    }
    return add(collection, operands[0], "", "");
}

static bool take_operands(struct collection *collection, size_t first)
{
    for (size_t i = first, taken; i < collection->arguments->operand_count; i += taken) {
        taken = take_operand(collection, collection->arguments->operands + i);
        if (!taken)
            return false;
    }
    return true;
}

static bool take_options(struct collection *collection)
{
    const struct arguments *arguments = collection->arguments;

    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct given *given = &arguments->given[i];
        const bool path = strcmp(given->option->name, "unix") == 0;

        if ((path || (strcmp(given->option->name, "listen") == 0 && given->option->argument)) &&
            !add(collection, path && *given->value != '@' ? "unix:" : "", "", given->value))
            return false;
    }
    return true;
}

/* -p that no host took is an address of its own; -i or -d that found no port is a mistake. */
static bool take_port(struct collection *collection)
{
    if (collection->port && !collection->port_used) {
        const char *host = collection->host ? collection->host : "";
        const char *between = *host ? " " : is_port(collection->port) ? "" : ":";

        collection->host_used = true;
        return add(collection, host, between, collection->port); /* ":http" may be a service's name */
    }
    if (collection->host && !collection->host_used) {
        complain(collection->arguments->subcommand, "%s names no port; add --port PORT", collection->host);
        return false;
    }
    if (collection->count == 0) {
        complain(collection->arguments->subcommand,
                 "no address; give a PORT, HOST PORT or HOST:PORT, as in parley %s%s 3000",
                 collection->arguments->subcommand->name,
                 strcmp(collection->arguments->subcommand->name, "serve") == 0 ? " echo" : "");
        return false;
    }
    return true;
}

bool arguments_name_address(const struct arguments *arguments, size_t first)
{
    static const char *const options[] = {"port", "ipaddr", "domain", "unix"};
    bool named = arguments->operand_count > first;

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        named = named || arguments_given(arguments, options[i]);
    for (size_t i = 0; i < arguments->given_count; i++) /* a switch of this name says nothing */
        named = named || (strcmp(arguments->given[i].option->name, "listen") == 0 &&
                          arguments->given[i].option->argument);
    return named;
}

char **arguments_addresses(const struct arguments *arguments, size_t first)
{
    struct collection collection;

    if (collection_open(&collection, arguments) && take_operands(&collection, first) &&
        take_options(&collection) && take_port(&collection))
        return collection.addresses;
    addresses_free(collection.addresses);
    return NULL;
}

void addresses_free(char **addresses)
{
    for (char **address = addresses; address && *address; address++)
        free(*address);
    free(addresses);
}

/* "localhost http": of two operands the second is the port, be it a number or the name of a service. */
static bool take_pair(struct collection *collection)
{
    const char *const *operands = collection->arguments->operands;

    if (collection->host || collection->port) {
        complain(collection->arguments->subcommand, "%s %s is an address already; leave out -p, -i and -d",
                 operands[0], operands[1]);
        return false;
    }
    if (!is_sound(collection, operands[0]) || !is_sound(collection, operands[1]))
        return false;
    if (!is_host(operands[0]) && *operands[0] != '[') {
        complain(collection->arguments->subcommand, "one address, please: %s and %s are two", operands[0],
                 operands[1]);
        return false;
    }
    return add(collection, operands[0], " ", operands[1]);
}

char *arguments_address(const struct arguments *arguments)
{
    struct collection collection;
    char *address = NULL;

    if (collection_open(&collection, arguments) &&
        (arguments->operand_count == 2 ? take_pair(&collection) : take_operands(&collection, 0)) &&
        take_options(&collection) && take_port(&collection)) {
        if (collection.count > 1) {
            complain(arguments->subcommand, "one address, please: %s and %s are two", collection.addresses[0],
                     collection.addresses[1]);
        } else {
            address = strdup(collection.addresses[0]);
        }
    }
    addresses_free(collection.addresses);
    return address;
}
