/* Writing whole lines to descriptor 2. */
#ifndef BASE_STDERR_H
#define BASE_STDERR_H

#include <parley.h>

/* Writes the line at once: false when it would have to wait, nobody reads, or the disk is full. Never blocks,
 * raises neither SIGPIPE nor SIGXFSZ, keeps errno. A terminal or a full disk may take a part only, which
 * is false, too; the next line begins on a line of its own. Any thread. */
bool stderr_offer(const void *line, size_t size);

/* Writes the line, waiting for the reader if need be. Raises neither SIGPIPE nor SIGXFSZ, keeps
 * errno. */
void stderr_write(const void *line, size_t size);

#endif
