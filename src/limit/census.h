/* The census: how many connections each address has, counted by all workers together, processes too.
 *
 * It lies in shared memory behind one lock, and is bounded whatever comes: 65,536 networks at once, eight for
 * each place that an address may take, and 1,048,576 connections (17 MiB, of which only what is used is ever
 * touched). A network that has no connection any more makes room for another. Where all eight are taken, a
 * client is counted by its wider network, and if there is no room for that either, together with all others
 * of that kind: a flood of addresses makes counting coarser, and never longer.
 *
 * Each connection holds a ticket that says which worker has it, so that those of a killed process can be
 * given back. Tickets are the truth, counts follow from them: a process that is killed inside leaves the lock
 * to be found so, and everything is counted anew. */
#ifndef LIMIT_CENSUS_H
#define LIMIT_CENSUS_H

#include "net/network.h"
#include <parley.h>

struct census;
struct door;

/* Most connections at once; 0: any. Scopes count apart from each other: the numbers of doors. */
struct census_limits {
    unsigned per_address; /* IPv4: each; IPv6: each /64 */
    unsigned per_network; /* IPv4: each /24; IPv6: each /48 */
    unsigned address_scope, network_scope;
};

enum { NO_TICKET = 0 };

/* Those that hold at a door. */
struct census_limits census_limits_of(const struct door *door);

/* NULL with parley_error(). Made before the processes that share it. */
struct census *census_new(void);
void census_free(struct census *census);

/* Any worker: counts a client in, for worker `owner`. 0, with a ticket (NO_TICKET: unix peers are not
 * counted); or PARLEY_NETWORK with the sentence, if there are enough of its kind. */
int census_enter(struct census *census, const struct census_limits *limits, const struct network *client,
                 unsigned owner, uint32_t *ticket);
/* Whether it would be let in now: 0, or PARLEY_NETWORK with the sentence. */
int census_ask(struct census *census, const struct census_limits *limits, const struct network *client);
/* It has left. NO_TICKET is allowed. */
void census_leave(struct census *census, uint32_t ticket);
/* The worker has died: all it held is given back. */
void census_bury(struct census *census, unsigned owner);

#endif
