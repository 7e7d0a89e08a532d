/* What a service manager is told: sd_notify(3). Nothing at all unless the options "notify" and "watchdog"
 * ask. */
#ifndef SUPERVISE_NOTIFY_H
#define SUPERVISE_NOTIFY_H

#include <parley.h>
#include <stdint.h>

struct loop;
struct supervision;

/* Connects to the manager's socket, which may be out of reach once privileges are given up. A manager that
 * cannot be told is said in the log, and no reason to stop. */
void notify_open(parley_server *server);
void notify_close(parley_server *server);

void notify_ready(parley_server *server);
void notify_reloading(parley_server *server);
void notify_stopping(parley_server *server);

/* Feeds the watchdog when it is time, unless a worker that serves the listeners has been busy for longer than
 * it has patience (a handler that never returns), or is a process that does not answer (it was stopped), or
 * there is none. Who sleeps in a call that waits for a client, whichever, is well. */
void notify_alive(struct supervision *supervision);
/* ms until that time, not later than `wait`; -1: never. */
int64_t notify_patience(const struct supervision *supervision, int64_t wait);

/* The worker's loop begins: where it will say since when it is busy, or NULL where nobody asks. */
_Atomic int64_t *notify_pulse(const struct loop *loop);

#endif
