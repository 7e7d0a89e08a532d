/* How many programs run, and for whom: counted by all workers together, processes too. */
#ifndef EXEC_PLACES_H
#define EXEC_PLACES_H

#include <sys/types.h>

#include "exec/program.h"

/* As many as --max-children says: 0, or the exit code after a complaint. */
int places_make(struct program *program, const struct arguments *arguments);
void places_free(struct program *program);

/* A place for one more child, for this client: false if all are taken. Any worker of the server. */
bool place_take(const struct program *program, const char *peer, unsigned *place);
/* Who has it now; 0: nobody, it is given back. */
void place_hold(const struct program *program, unsigned place, pid_t pid);
/* How many children serve this client's address, the one that has just taken its place included. */
unsigned places_count(const struct program *program, const char *peer);

#endif
