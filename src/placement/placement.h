/* A placement decides how many workers there are, thread or process, and whether a worker is given the
 * listeners or one connection. Nothing else; pollers never see it. */
#ifndef PLACEMENT_PLACEMENT_H
#define PLACEMENT_PLACEMENT_H

#include <parley.h>
#include <stdbool.h>
#include <sys/socket.h>

struct visitor;
struct worker;

struct placement {
    const char *name;
    const char *default_poller;
    bool processes;  /* its connections live in processes of their own */
    bool per_client; /* each connection gets a worker of its own */
    unsigned limit;  /* connections at once in one worker; 0: any */
    /* Starts the workers: 0, or -1 and errno. */
    int (*start)(struct parley_server *server);
    /* per_client: gives the acceptor's connection to a new worker. 0: it is the worker's now; -1 and errno.
     */
    int (*hand_over)(struct parley_server *server, const struct visitor *visitor);
};

/* Whether it keeps several workers for all clients, as many as "workers" says. */
static inline bool placement_has_pool(const struct placement *placement)
{
    return !placement->per_client && placement->limit != 1;
}

extern const struct placement placement_iterative, placement_fork, placement_thread, placement_prefork,
    placement_prethread;

#endif
