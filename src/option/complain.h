/* Exit codes, and how the command says what is wrong. */
#ifndef OPTION_COMPLAIN_H
#define OPTION_COMPLAIN_H

#include <parley.h>

#include "option/option.h"

/* Exit codes, the same in every subcommand. */
enum {
    EXIT_DONE = 0,
    EXIT_NETWORK = 1, /* the network or the peer */
    EXIT_USAGE = 2,   /* usage or a local fault */
    EXIT_CHECK = 3,   /* an assertion, threshold or integrity check failed */
    EXIT_TIMEOUT = 4, /* timed out */
    EXIT_UNREAD = 141 /* nobody reads standard output any more: as of who is killed by SIGPIPE, which is 13 */
};

/* "parley SUBCOMMAND: SENTENCE" on stderr in one line. Returns EXIT_USAGE. */
int complain(const struct subcommand *subcommand, const char *format, ...) PARLEY_PRINTF(2, 3);
/* The same about a system call that failed, with errno's reason: "write standard output: broken pipe". */
int complain_call(const struct subcommand *subcommand, const char *call, const char *name);
/* The same with the sentence of parley_error(). Returns parley_exit_code(status). */
int complain_failure(const struct subcommand *subcommand, int status);

/* unread.c: a reader that leaves (SIGPIPE), or a file that may grow no more (SIGXFSZ), is an error to tell
 * from now on, nothing to die of. */
void ignore_signal(int number);
/* A write to standard output has failed, with errno: a complaint, and EXIT_USAGE. A reader that has gone has
 * seen enough: EXIT_UNREAD, and not a word. */
int complain_unwritten(const struct subcommand *subcommand);
/* Of two exit codes the one to be told: any failure before EXIT_UNREAD, and that before 0. */
int worse_of(int one, int other);

#endif
