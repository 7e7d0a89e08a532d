/* A candidate, running: started, ready, on a port of 127.0.0.1. */
#ifndef COMPARE_SERVER_H
#define COMPARE_SERVER_H

#include "compare/child.h"
#include "compare/compare.h"

struct server {
    struct child child;
    int port;
    char address[32]; /* "127.0.0.1:PORT", as parley_dial() takes it */
};

/* Starts it and waits until it can be reached: our own say so themselves, a peer once it accepts a
 * connection. `interrupt` becomes readable to give up. 0; else the candidate's reason says why, and whether
 * it refused. server_end() either way. */
int server_start(struct server *server, struct candidate *candidate, const struct compare_plan *plan,
                 int interrupt);
/* Ends it. Where it had ended by itself, the candidate's reason says how. Returns the context switches of its
 * life; 0 when there is none any more. */
uint64_t server_end(struct server *server, struct candidate *candidate);

#endif
