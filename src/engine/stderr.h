/* Writing whole lines to descriptor 2. */
#ifndef ENGINE_STDERR_H
#define ENGINE_STDERR_H

#include <parley.h>

/* Writes the line at once, or not at all: false when it would have to wait, or nobody reads. Never blocks,
 * raises no SIGPIPE, keeps errno. A terminal may show a part only. */
bool stderr_offer(const void *line, size_t size);

/* Writes the line, waiting for the reader if need be. Raises no SIGPIPE, keeps errno. */
void stderr_write(const void *line, size_t size);

#endif
