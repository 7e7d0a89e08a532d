#include "limit/access.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/server.h"
#include <stdio.h>
#include <string.h>

/* ---- what was given ---- */

static int check(const struct access_source *source)
{
    struct access_rule rule;
    int status = access_rule_read(&rule, source);
    access_rule_free(&rule);
    return status;
}

int access_add(struct access_sources *sources, bool allows, const char *text)
{
    size_t size = strlen(text) + 1;
    struct access_source source = {allows, sys.malloc(size)};
    struct access_source *items = sys.realloc(sources->items, (sources->count + 1) * sizeof *items);
    if (items)
        sources->items = items;
    if (!items || !source.text) {
        sys.free(source.text);
        return fail(PARLEY_RESOURCE, "no memory for an access list");
    }
    memcpy(source.text, text, size);
    int status = check(&source);
    if (status < 0)
        sys.free(source.text);
    else
        items[sources->count++] = source;
    return status;
}

void access_forget(struct access_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        sys.free(sources->items[i].text);
    sys.free(sources->items);
}

/* ---- reading ---- */

static void free_access(struct reading *reading)
{
    struct access *access = (struct access *)reading;
    for (size_t i = 0; i < access->count; i++)
        access_rule_free(&access->rules[i]);
    sys.free(access);
}

static int read_access(parley_server *server, struct reloadable *reloadable, struct reading **reading)
{
    (void)server;
    const struct access_sources *sources = &((struct access_list *)reloadable)->sources;
    struct access *access = sys.calloc(1, sizeof *access + sources->count * sizeof *access->rules);
    int status = 0;
    if (!access)
        return fail(PARLEY_RESOURCE, "no memory for the access lists");
    for (size_t i = 0; i < sources->count && status == 0; i++)
        status = access_rule_read(&access->rules[access->count++], &sources->items[i]);
    access->reading.free = free_access;
    if (status < 0)
        free_access(&access->reading);
    else
        *reading = &access->reading;
    return status;
}

static bool has_files(const struct access_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++)
        if (*sources->items[i].text == '@')
            return true;
    return false;
}

static int open_list(parley_server *server, struct access_list *list)
{
    if (list->sources.count == 0)
        return 0;
    list->reloadable.what = "the access lists";
    list->reloadable.read = read_access;
    if (has_files(&list->sources))
        reload_add(server, &list->reloadable);
    return reload_read(server, &list->reloadable);
}

int access_open(parley_server *server)
{
    server->access.sources = server->options.access; /* which keeps them */
    int status = open_list(server, &server->access);
    for (struct door *door = server->front.next; door && status == 0; door = door->next)
        if (door->access != &server->access)
            status = open_list(server, door->access);
    return status;
}

/* ---- asking ---- */

/* Where the networks of a rule begin at or before the client's, the last of them is the only one that can
 * hold it, since none is within another. */
static const struct access_entry *find(const struct access_rule *rule, const struct network *client)
{
    size_t low = 0, high = rule->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (network_compare(&rule->entries[middle].network, client) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool holds = low > 0 && network_within(client, &rule->entries[low - 1].network);
    return holds ? &rule->entries[low - 1] : NULL;
}

static void explain(const struct access_rule *rule, const struct access_entry *entry, char text[ACCESS_TEXT])
{
    char network[NETWORK_TEXT];
    /* A unix peer is called what the rule is called: "unix turned away: denied by unix" told nothing. */
    const char *what = entry->network.family == AF_UNIX ? "the rule for " : "";
    const char *verb = rule->source->allows ? "allowed by" : "denied by";
    network_text(&entry->network, network);
    if (entry->line > 0)
        snprintf(text, ACCESS_TEXT, "%s %s%s (%s:%u)", verb, what, network, rule->source->text + 1,
                 entry->line);
    else
        snprintf(text, ACCESS_TEXT, "%s %s%s", verb, what, network);
}

bool access_allows(const struct access *access, const struct sockaddr *client, char text[ACCESS_TEXT])
{
    const struct network network = network_of(client);
    bool allows = true;
    for (size_t i = 0; access && i < access->count; i++) {
        const struct access_rule *rule = &access->rules[i];
        const struct access_entry *entry = find(rule, &network);
        if (entry) {
            explain(rule, entry, text);
            return rule->source->allows;
        }
        allows = !rule->source->allows;
    }
    snprintf(text, ACCESS_TEXT, "%s",
             allows ? "in no network that is denied" : "in no network that is allowed");
    return allows;
}
