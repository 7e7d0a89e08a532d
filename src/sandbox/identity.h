/* Who the process is from now on: chroot, groups, user, in this order and for good. */
#ifndef SANDBOX_IDENTITY_H
#define SANDBOX_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

struct identity {
    const char *root; /* of chroot(2); NULL: none. The caller's text */
    bool changes;     /* user and groups below */
    uid_t user;
    gid_t group, *groups; /* supplementary ones: allocated */
    int group_count;
};

/* Looks up names or numbers, either NULL, while the passwd file can still be read. A user brings its own
 * groups; a group that is named replaces them all. 0 or a parley_status; identity_free() either way. */
int identity_find(struct identity *identity, const char *user, const char *group, const char *root);
void identity_free(struct identity *identity);

/* Becomes it: 0, or a parley_status with the call that failed. */
int identity_take(const struct identity *identity);

/* After all that was to be dropped: fails if root or the old groups could be had again. */
int identity_verify(const struct identity *identity);

#endif
