/* A program that serves one connection, from its start until it is reaped. */
#ifndef EXEC_SERVANT_H
#define EXEC_SERVANT_H

#include <sys/types.h>

#include "engine/chore.h"
#include "engine/loop.h"
#include "exec/program.h"
#include "exec/words.h"

/* How far it is with being ended. It may end by itself at any time. */
enum servant_stage { SERVANT_RUNS, SERVANT_TOLD /* SIGTERM */, SERVANT_KILLED /* SIGKILL */ };

struct servant {
    struct chore chore; /* the loop does not end before it is reaped */
    const struct program *program;
    parley_conn *client, *guest; /* `guest` is the other end of its descriptors 0 and 1; NULL: gone */
    pid_t pid;                   /* and its process group */
    int pidfd;
    struct watch exit;   /* of pidfd */
    struct watch errors; /* the other end of its descriptor 2; fd -1: none */
    struct words words;  /* what came of that */
    unsigned place;      /* of the program's */
    int64_t started_at, kill_at;
    enum servant_stage stage;
    bool has_exited;
    bool is_heard; /* all it said has been received */
    bool is_reaped;
    char peer[ADDRESS_TEXT]; /* its client */
};

/* Starts the program for a client, bridges the two, and holds `place` until it is reaped. NULL after a log
 * line: the place is given back, and the client to be closed. */
struct servant *servant_start(parley_conn *client, const struct program *program, unsigned place);

/* The client has gone: in order, or by a reset, a deadline or the stop. */
void servant_client_gone(struct servant *servant, bool in_order);

#endif
