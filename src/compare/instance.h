/* A candidate, running: started, ready, on a port of 127.0.0.1. */
#ifndef COMPARE_INSTANCE_H
#define COMPARE_INSTANCE_H

#include "compare/child.h"
#include "compare/compare.h"

struct instance {
    struct child child;
    int port;
    char address[32]; /* "127.0.0.1:PORT", as parley_dial() takes it */
};

/* Starts it and waits until it can be reached: our own say so themselves, a peer once it accepts a
 * connection. `interrupt` becomes readable to give up. 0; else the candidate's reason says why, and whether
 * it refused. instance_end() either way. */
int instance_start(struct instance *instance, struct candidate *candidate, const struct compare_plan *plan,
                   int interrupt);
/* Ends it. Where it had ended by itself, the candidate's reason says how. Returns the context switches of its
 * life; 0 when there is none any more. */
uint64_t instance_end(struct instance *instance, struct candidate *candidate);

#endif
