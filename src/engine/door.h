/* Doors: what counts for the clients of a listener.
 *
 * The server's own options are those of its front door. A listener that was given some of its own has a door
 * for itself: there each of them counts in place of the server's, and what it did not set is the server's.
 * That goes for counting as well: `connections` and the like count together whom they hold for. */
#ifndef ENGINE_DOOR_H
#define ENGINE_DOOR_H

#include "limit/access.h"
#include "net/address.h"
#include <parley.h>
#include <stdatomic.h>
#include <stddef.h>

struct options;
struct own_options;

/* The front door and those that listeners have for themselves: bounded, since each counts in shared memory.
 */
enum { MOST_DOORS = 64 };

struct door {
    const struct options *options; /* what counts here */
    unsigned number;               /* 0: the front door */
    const char *where;             /* " on 127.0.0.1:3000" for sentences; "": the front door */

    /* Whose limit it is that holds here, and who counts: this door or the front door. */
    struct door *crowd, *pace;             /* connections; accept-rate */
    unsigned address_scope, network_scope; /* per-address; per-network: the number of that door */
    struct access_list *access;            /* NULL: anybody may come */

    atomic_uint clients;     /* as a crowd: workers that serve one client each */
    struct own_options *own; /* NULL: the front door */
    struct door *next;       /* server->front is the first */
};

/* The front door, whose options are the server's. */
void doors_open(parley_server *server);
void doors_close(parley_server *server);

/* What the server set may have changed since: gives each door its options anew. 0 or a parley_status. */
int doors_settle(parley_server *server);

/* One past the highest number. */
unsigned doors_count(const parley_server *server);
/* Whether a listener has a door for itself. */
bool doors_are_several(const parley_server *server);

#endif
