#include "engine/door.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/server.h"
#include <stdio.h>
#include <string.h>

/* An option as parley_listener_set() was given it. */
struct own_option {
    struct own_option *next;
    const char *value; /* behind the name */
    char name[];
};

struct own_options {
    struct options options;   /* the server's, with these on top: */
    struct own_option *first; /* in order */
    struct access_list access;
    struct network_list proxies;
    char where[ADDRESS_TEXT + 8];
};

void doors_open(parley_server *server)
{
    struct door *front = &server->front;
    front->options = &server->options;
    front->where = "";
    front->crowd = front->pace = front;
}

static void forget_lists(struct own_options *own)
{
    access_forget(&own->access.sources);
    network_list_free(&own->proxies);
    own->access.sources = (struct access_sources){0};
    own->proxies = (struct network_list){0};
}

static void door_free(struct door *door)
{
    struct own_options *own = door->own;
    for (struct own_option *option = own->first, *next; option; option = next) {
        next = option->next;
        sys.free(option);
    }
    reload_free(&own->access.reloadable);
    forget_lists(own);
    sys.free(own);
    sys.free(door);
}

void doors_close(parley_server *server)
{
    for (struct door *door = server->front.next, *next; door; door = next) {
        next = door->next;
        door_free(door);
    }
    server->front.next = NULL;
}

unsigned doors_count(const parley_server *server)
{
    unsigned count = 0;
    for (const struct door *door = &server->front; door; door = door->next)
        count++;
    return count;
}

bool doors_are_several(const parley_server *server)
{
    return server->front.next != NULL;
}

/* ---- what counts there ---- */

static bool sets(const struct own_options *own, const char *name)
{
    const struct own_option *option = own->first;
    while (option && strcmp(option->name, name) != 0)
        option = option->next;
    return option != NULL;
}

/* Lists that are set replace the server's; what is left of its copy belongs to the server. */
static int apply(const parley_server *server, struct own_options *own)
{
    int status = 0;
    forget_lists(own);
    own->options = server->options;
    own->options.access = (struct access_sources){0};
    own->options.proxy_from = (struct network_list){0};
    for (const struct own_option *option = own->first; option && status == 0; option = option->next)
        status = option_set(&own->options, option->name, option->value);
    own->access.sources = own->options.access;
    own->proxies = own->options.proxy_from;
    if (!sets(own, "proxy-from"))
        own->options.proxy_from = server->options.proxy_from;
    return status;
}

static int settle(parley_server *server, struct door *door)
{
    struct own_options *own = door->own;
    struct door *front = &server->front;
    int status = apply(server, own);
    door->crowd = sets(own, "connections") ? door : front;
    door->pace = sets(own, "accept-rate") ? door : front;
    door->address_scope = sets(own, "per-address") ? door->number : 0;
    door->network_scope = sets(own, "per-network") ? door->number : 0;
    door->access = own->access.sources.count > 0 ? &own->access : &server->access;
    return status;
}

int doors_settle(parley_server *server)
{
    int status = 0;
    server->front.access = &server->access;
    for (struct door *door = server->front.next; door && status == 0; door = door->next)
        status = settle(server, door);
    return status;
}

/* ---- setting them ---- */

static struct door *add_door(parley_server *server, const char *address)
{
    struct door *last = &server->front;
    while (last->next)
        last = last->next;
    if (last->number + 1 == MOST_DOORS) {
        fail(PARLEY_RESOURCE, "%s: at most %d listeners have options of their own", address, MOST_DOORS - 1);
        return NULL;
    }
    struct door *door = sys.calloc(1, sizeof *door);
    struct own_options *own = sys.calloc(1, sizeof *own);
    if (!door || !own) {
        sys.free(door);
        sys.free(own);
        fail(PARLEY_RESOURCE, "no memory for the options of %s", address);
        return NULL;
    }
    snprintf(own->where, sizeof own->where, " on %s", address);
    *door =
        (struct door){.options = &own->options, .number = last->number + 1, .where = own->where, .own = own};
    return last->next = door;
}

/* The sockets of one call are one listener. */
static struct door *door_of_listener(parley_server *server, size_t index)
{
    struct bound *bound = &server->bounds[index];
    struct door *door = bound->door->own ? bound->door : add_door(server, bound->text);
    for (size_t i = 0; door && i < server->bound_count; i++)
        if (server->bounds[i].call == bound->call)
            server->bounds[i].door = door;
    return door;
}

static int remember(struct own_options *own, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;
    struct own_option *option = sys.malloc(sizeof *option + name_size + value_size), **place = &own->first;
    if (!option)
        return fail(PARLEY_RESOURCE, "no memory for an option");
    option->next = NULL;
    option->value = memcpy(option->name + name_size, value, value_size);
    memcpy(option->name, name, name_size);
    while (*place)
        place = &(*place)->next;
    *place = option;
    return 0;
}

/* Tried on a copy, so that a wrong value is told now. */
static int try(const parley_server *server, const char *name, const char *value)
{
    struct options trial = server->options;
    if (!option_is_for_listeners(name))
        return fail(PARLEY_USAGE,
                    "a listener has no option '%s' of its own (parley.h lists them at "
                    "parley_listener_set)",
                    name);
    trial.access = (struct access_sources){0};
    trial.proxy_from = (struct network_list){0};
    int status = option_set(&trial, name, value);
    access_forget(&trial.access);
    network_list_free(&trial.proxy_from);
    return status;
}

int parley_listener_set(parley_server *server, size_t index, const char *option, const char *value)
{
    if (index >= server->bound_count)
        return fail(PARLEY_USAGE, "there is no listener %zu: %zu listen", index, server->bound_count);
    int status = try(server, option, value);
    if (status < 0)
        return status;
    struct door *door = door_of_listener(server, index);
    status = door ? remember(door->own, option, value) : PARLEY_RESOURCE;
    return status == 0 ? settle(server, door) : status;
}
