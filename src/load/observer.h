/* Watches a run from beside it: tells each second, and takes the measure of the server and the machine when
 * the window begins and ends. */
#ifndef LOAD_OBSERVER_H
#define LOAD_OBSERVER_H

#include "load/generator.h"
#include "witness/witness.h"
#include <pthread.h>

struct observer {
    struct run *run;
    pthread_t thread;
    atomic_bool finished; /* the generators are through */
    bool watches;         /* the server's processes are ours to look at */
    bool has_server, has_machine;
    struct witness witness;
    struct witness_reading server_at_begin, server_at_end;
    struct machine_reading machine_at_begin, machine_at_end;
    int64_t first_at, last_at; /* ns: when the readings were taken */
};

/* Starts its thread: 0 or a parley_status. */
int observer_start(struct observer *observer, struct run *run);
/* The run is over: ends the thread, and fills result->limits with what was seen. */
void observer_stop(struct observer *observer);

#endif
