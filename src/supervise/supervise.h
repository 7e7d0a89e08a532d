/* What the supervisor knows beside the server: supervise.c and reaping.c share it. */
#ifndef SUPERVISE_SUPERVISE_H
#define SUPERVISE_SUPERVISE_H

#include <parley.h>

enum { FIRST_RESTART = 100, LAST_RESTART = 10000 }; /* ms until a crashed worker is started again, doubling */

struct supervision {
    parley_server *server;
    int64_t stop_at; /* when the stop began; 0: running */
    int64_t kick, restart_delay, restart_at;
    int64_t watchdog_at; /* when the watchdog is fed next */
    unsigned missing;    /* crashed workers to start again */
    bool aborted;
};

/* reaping.c: takes leave of the threads and processes that have ended, and plans their return. */
void reap(struct supervision *supervision);

#endif
