/* What a program says on its standard error, as lines of our log. */
#ifndef EXEC_WORDS_H
#define EXEC_WORDS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/log.h"

enum { WORDS_LINE = 512, WORDS_PIECE = 4 << 10, WORDS_ALL = 64 << 10 /* what a pipe holds */ };

/* A line that is not whole yet; all zero at first. */
struct words {
    size_t size;
    char line[WORDS_LINE];
};

/* Reads what is there, a line of the log for each of its lines; a longer one is several. A piece at a time,
 * or all that a program said before it ended, and no more if others go on. False: its end, or a failure. */
bool words_read(struct words *words, int fd, size_t most, struct log *log, const char *peer, pid_t pid);
/* What is left without its newline. */
void words_end(struct words *words, struct log *log, const char *peer, pid_t pid);

#endif
