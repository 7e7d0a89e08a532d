/* The environment of a child: UCSPI's variables, and what its program has anyway. */
#ifndef EXEC_ENVIRONMENT_H
#define EXEC_ENVIRONMENT_H

#include "exec/program.h"

enum { MOST_VARIABLES = 20, VARIABLES_TEXT = 4096 };

struct environment {
    char **items; /* for execve(2); NULL without memory */
    size_t count;
    char text[VARIABLES_TEXT]; /* of those of this connection */
    size_t used;
};

/* https://cr.yp.to/proto/ucspi.txt; `conn` is the client. Values may hold what a client chose (a path, a name
 * from its certificate); names never do. environment_free() it. */
void environment_make(struct environment *environment, const struct program *program, parley_conn *conn);
void environment_free(struct environment *environment);

#endif
