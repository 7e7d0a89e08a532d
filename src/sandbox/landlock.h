/* Which files and ports are left: landlock(7), for this process and all it starts later. */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include <stddef.h>

struct path_list {
    char **paths;
    size_t count;
};

/* Directories in which something is left: files to read, and below them; sockets to remove. */
struct left_paths {
    struct path_list reads, removes;
};

/* Of the file system nothing is left but `left`, and of TCP, from Linux 6.7 on, neither bind nor connect. How
 * much the kernel can (its ABI, from 1 on), 0 where it cannot or may not (errno says why), or a
 * parley_status. Needs capabilities_never_gain(). */
int landlock_confine(const struct left_paths *left);

#endif
