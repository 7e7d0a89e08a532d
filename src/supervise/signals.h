/* What parley_run() catches while it runs. */
#ifndef SUPERVISE_SIGNALS_H
#define SUPERVISE_SIGNALS_H

#include <parley.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Dispositions belong to the process, and several servers may run in it: the first one installs, the last one
 * restores. `mask` receives the calling thread's, from which what we need is unblocked. 0, or
 * PARLEY_RESOURCE: too many servers wait for signals. */
int signals_take(parley_server *server, sigset_t *mask);
void signals_give_back(parley_server *server, const sigset_t *mask);
/* What becomes of a server when a signal comes; also as if one had come. Async-signal-safe, any thread. */
void signals_tell(parley_server *server, int signal);

/* In a worker process: SIGTERM sets `*stop` to `value`, and from then on the call it sleeps in is interrupted
 * over and over, since the supervisor may be gone; SIGINT, which a terminal sends to the whole group, is the
 * supervisor's. */
void signals_of_worker(_Atomic int *stop, int value);

/* In a worker process of a server that can read something again: SIGHUP sets `*asked`, and interrupts over
 * and over until signals_seen(); NULL: it does nothing here. */
void signals_of_reload(atomic_bool *asked);
/* What SIGHUP asked for has been seen. A stop that came as well is to be looked for afterwards. */
void signals_seen(atomic_bool *asked);

#endif
