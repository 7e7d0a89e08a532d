/* A server of ours as a child process: started, listened to, and ended whatever happens. */
#ifndef COMPARE_CHILD_H
#define COMPARE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "compare/compare.h"

struct child {
    pid_t pid;           /* of it and of its process group; 0: none */
    int ended;           /* a pidfd: readable once it has ended; -1 none */
    int said;            /* its standard error, a file in memory; -1 none */
    int status;          /* waitpid(2)'s, once it is waited for */
    struct rusage usage; /* of it and the children it has waited for, over its life */
};

/* Starts a command in a process group of its own, on these processors, with nothing on standard input and
 * nobody at standard output. `passed` is a descriptor that stays open in it, -1 none. It dies with us. 0, or
 * PARLEY_USAGE (there is no such command) or PARLEY_RESOURCE. child_end() either way. */
int child_start(struct child *child, const char *path, char *const *words,
                const struct processors *processors, int passed);
bool child_has_ended(const struct child *child);
/* TERM to it, a while later KILL, then KILL to what is left of its group, and waits for it. Harmless when
 * there is none or it has ended. The rest of the structure may be looked at afterwards; child_close() forgets
 * it. */
void child_end(struct child *child);
void child_close(struct child *child);
/* How it ended: "ended with exit code 1", "was ended by signal 11 (Segmentation fault)"; and what it said
 * last, if it said anything. */
void child_epitaph(const struct child *child, char *text, size_t room);
/* The last line on its standard error; "" when there is none. */
void child_last_line(const struct child *child, char *text, size_t room);

#endif
