/* `--save`: a file that appears under its name only when it is whole.
 *
 * The bytes go to a temporary beside it, which is renamed at the end. A device or a pipe is written as it is.
 */
#ifndef COMMAND_SAVE_H
#define COMMAND_SAVE_H

#include <stddef.h>

struct save {
    int fd;          /* -1: nothing is saved */
    char *path;      /* the final name, symbolic links followed */
    char *temporary; /* NULL: `path` is no regular file and is written itself */
};

#define SAVE_NONE                                                                                            \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Each returns 0, or -1 with errno; save_failed_call() then names the call. */
int save_open(struct save *save, const char *path);
int save_write(struct save *save, const void *bytes, size_t size);
/* Everything has come: fsync, close. It may be called before save_commit(), while whoever sent it can still
 * be told that it was in vain. */
int save_settle(struct save *save);
/* The same, unless it was done, and rename. On failure nothing is left behind. */
int save_commit(struct save *save);
/* Removes what was written so far. Harmless after save_commit(). */
void save_discard(struct save *save);
/* "open", "write", "fsync", "close" or "rename". */
const char *save_failed_call(void);

#endif
