/* Starting a program: what happens between the parent's call and the program's first instruction. */
#ifndef EXEC_SPAWN_H
#define EXEC_SPAWN_H

#include <sys/types.h>

#include "exec/program.h"

struct spawn {
    const struct program *program;
    char *const *environment;
    int stream;         /* its descriptors 0 and 1; a terminal's if `has_terminal`, 2 then too */
    int errors;         /* its descriptor 2 */
    const char *failed; /* the call that failed */
};

/* Starts the program in a process group, or with a terminal a session, of its own, with the descriptors 0, 1
 * and 2 alone and every signal as at a login. The calling thread waits until the program runs or could not be
 * run, so that a failure is known here: its pid, or -1 with errno and `failed`; nothing is then left of it.
 */
pid_t spawn(struct spawn *spawn);

#endif
