/* Workers: the threads and processes that run loops. Every placement ends in the same worker_run(). */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "net/address.h"
#include <parley.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct door;
struct loop;

enum worker_stop { WORKER_RUNS, WORKER_DRAINS, WORKER_ABORT };

enum { MOST_INDEXES = 1 << 20 }; /* then numbers begin anew, and a lap is counted */

struct worker {
    struct worker *next; /* server->workers */
    struct parley_server *server;
    uint32_t generation; /* its first connections': an index comes back, an id does not */
    atomic_int cancel;   /* eventfd that ends its dials, or -1; closed under server->lock */
    unsigned index;      /* unique among the server's workers: part of every parley_id */
    bool is_process;
    bool is_here;        /* in the supervisor's thread: parley_run() turns its loop */
    int fd;              /* the one connection it was given; -1: it serves the listeners */
    struct address peer; /* of that connection */
    struct door *door;   /* by which that came; NULL: it serves the listeners */
    pthread_t thread;
    pid_t pid;
    int64_t started_at;
    struct loop *loop; /* while it runs, in this process; under server->lock */
    atomic_int stop;   /* worker_stop */
    atomic_bool ended; /* a thread that is ready to be joined */
};

/* One that was accepted, for a worker of its own. */
struct visitor {
    int fd;
    const struct sockaddr *peer;
    struct door *door;
};

/* Start a worker that serves the listeners (no client) or the one client it is given, whose descriptor it
 * then owns. 0, or -1 and errno: the descriptor is then still the caller's. */
int worker_start_thread(struct parley_server *server, const struct visitor *visitor);
int worker_start_process(struct parley_server *server, const struct visitor *visitor);

/* The same for the only worker of a server: it runs in the thread that called parley_run(), since in a
 * process of one thread every system call costs less. Under a deaf poller it is a thread, which can be
 * interrupted, and so it is where it wants a table of descriptors of its own. */
int worker_start_only(struct parley_server *server);

/* The log line of a new client, with the worker that serves it where each has its own. */
void worker_log_opened(struct loop *loop, const parley_conn *conn);

/* The running loop of worker 0, if it is this thread's; else NULL. */
struct loop *loop_of_first_worker(const struct parley_server *server);

/* Opens a loop, turns it until it has nothing left to do, closes it. 0 or a parley_status. */
int worker_run(struct worker *worker);

/* Takes a worker that has ended, or never began, out of the server's list; under server->lock. */
void worker_forget(struct worker **place);

/* A client's worker has ended: acceptors at their limit look whether there is room; under server->lock. */
void workers_look_again(struct parley_server *server);

/* Tells a worker to drain or to abort: sets its flag and interrupts the call it sleeps in. Repeated by the
 * supervisor until the worker has ended, since an interrupt can come just before the call. */
void worker_interrupt(struct worker *worker, enum worker_stop stop);

#endif
