/* The server: options, listeners, dials, and the workers that share them. */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include "base/log.h"
#include "engine/door.h"
#include "engine/model.h"
#include "engine/worker.h"
#include "framing/frame.h"
#include "limit/access.h"
#include "limit/limits.h"
#include "net/network.h"
#include "net/proxy.h"
#include "net/socket.h"
#include "supervise/reload.h"
#include "tls/policy.h"
#include <stdalign.h>

/* What parley_set() sets; times in ms. */
struct options {
    struct tls_policy tls;
    struct model model;
    struct framing framing;
    struct socket_options socket;
    char bind[ADDRESS_TEXT];
    int family;       /* AF_UNSPEC, AF_INET, AF_INET6 */
    unsigned workers; /* 0: the processors */
    int64_t idle, life, handshake_timeout, write_timeout, linger, drain, connect_timeout;
    size_t high_water, queue_max;
    struct network_list proxy_from; /* of the server: freed with it */
    enum proxy_version proxy_send;  /* 0: no header is sent */
    struct address proxy_source;    /* all 0: none */
    unsigned connections;
    int retries;
    struct access_sources access;
    struct limits limits;
    bool signals, explain;
    char notify[ADDRESS_TEXT]; /* the service manager's socket; "" is none */
    int64_t watchdog;          /* how long it waits for a sign of life; 0: it does not */
    enum log_format log;
    int verbosity;
};

/* A listening socket; with reuseport, one per worker. */
struct bound {
    struct address address;
    char text[ADDRESS_TEXT];
    int fd;
    dev_t device; /* of the socket file we made, */
    ino_t inode;  /* 0: none */
    bool only_ipv6;
    int *copies; /* reuseport: further sockets, worker 1 and up */
    struct door *door;
    unsigned call; /* of parley_listen(): its number */
};

enum { MOST_WORKERS = 256 };

/* What the others know of a worker that serves the listeners: sharing.c. */
struct share {
    alignas(64) atomic_uint taken; /* clients ever; apart, since each writes its own in every turn */
    atomic_uint holds;             /* 1 more than it has now; 0: it is not there */
    /* On the clock of sys.now(); 0: it sleeps; below 0: since then it is asked whether it does. */
    _Atomic int64_t busy_since;
};

/* What workers count together for a door; of those that nobody counts for nothing is ever touched. */
struct crowd_count {
    atomic_uint open[MOST_WORKERS]; /* clients each has now, where not each has its share */
    _Atomic int64_t accept_due;     /* ns: when the next client is due at the accept-rate */
};

/* What all workers see, processes too: shared pages. */
struct shared {
    struct share shares[MOST_WORKERS];
    struct crowd_count crowds[MOST_DOORS];
    struct log_counts log;
    atomic_bool stopping; /* parley_stop(), from any process */
    atomic_int failed;    /* a parley_status, with its sentence: */
    char failure[512];
    atomic_ullong accepted;
};

struct user_watch {
    int fd;
    bool paused;
    void (*readable)(parley_server *server, int descriptor);
};

struct tls_keep;

struct parley_server {
    const parley_handler *handler; /* `copy` */
    parley_handler copy;
    void *user;
    struct options options;
    struct tls_keep *tls_keep; /* NULL: nobody speaks TLS */
    struct reloadable tls;     /* secure.c: certificates and authorities */
    struct door front;         /* whose options are those above */
    struct bound *bounds;
    size_t bound_count;
    unsigned calls; /* of parley_listen() so far */
    char **dials;
    size_t dial_count;
    struct user_watch *watches;
    size_t watch_count;
    struct shared *shared;
    struct reloadable *reloadables; /* what SIGHUP reads again */
    struct access_list access;      /* who may come by the front door */
    struct census *census;          /* connections of each address; NULL: not counted */
    atomic_bool reload_asked;       /* by SIGHUP, in this process */

    pthread_mutex_t lock; /* workers, last_index, laps, and each worker's loop pointer */
    struct worker *workers;
    unsigned last_index;             /* of a worker that serves one client, */
    uint32_t laps;                   /* and how often they began anew */
    bool restarted;                  /* a worker that cannot start is no longer a reason to stop */
    atomic_uint accepting;           /* loops of this process that hold the listeners */
    unsigned worker_total;           /* workers that serve the listeners */
    struct log log;                  /* the supervisor's */
    int manager;                     /* notify_open(); -1: nobody is told */
    int wake;                        /* eventfd: stop, a thread ended, a signal */
    struct supervision *supervision; /* while parley_run() runs */
    atomic_int signals_seen;         /* TERM and INT */
    atomic_int last_signal;
    void (*progress)(parley_server *server, const char *sentence);
    int (*listening)(parley_server *server); /* parley_on_listening() */
    /* NULL, or what each worker does first, in its own thread: 0 or a parley_status. Who connects or paces
     * instead of listening begins here. */
    int (*begin)(struct loop *loop);
    /* NULL, or what a worker of a model of processes does once its loop is open, and before it serves: 0 or a
     * parley_status. Who gives up more than the supervisor can does so here. One that serves a single client
     * has what its acceptor has done, who `starts_others`. */
    int (*settled)(parley_server *server, bool starts_others);
    /* Each worker thread has a table of descriptors of its own (unshare(2)), so that the kernel need not
     * count who uses one: some hundredths of each call. Nobody can then reach its loop from outside. */
    bool private_descriptors;
    /* What it dials is never one of its own listeners: a dial that finds such an address passes it over. */
    bool shuns_itself;
};

/* Any worker: the server cannot go on, or its dial failed; the first such status, with this thread's
 * sentence, is what parley_run() returns. Returns `status`. */
int server_failed(parley_server *server, int status);
/* Wakes the supervisor. Async-signal-safe. */
void server_wake(const parley_server *server);
/* Closes this process's listening descriptors; idempotent. */
void server_close_listeners(parley_server *server);
/* Frees what was bound, and removes the socket files that are still ours. */
void server_free_listeners(parley_server *server);
/* The path of the index-th listener, as the kernel has it; NULL where it has none. */
const char *server_socket_file(const parley_server *server, size_t index);
/* Whether a connection to the address would reach one of its own listeners, a wildcard too. What NAT does
 * cannot be seen. itself.c. */
bool server_listens_at(const parley_server *server, const struct address *address);
/* A listening socket per worker beyond the first, for reuseport: 0 or a parley_status. */
int server_open_copies(parley_server *server);

int option_set(struct options *options, const char *name, const char *value);
/* Whether a listener may have its own. */
bool option_is_for_listeners(const char *name);
void options_default(struct options *options);
/* The least a receive must be able to bring: a buffer of the ring. */
enum { LEAST_RECEIVE = 16 << 10 };

/* How many workers serve the listeners. */
unsigned server_workers(const parley_server *server);

#endif
