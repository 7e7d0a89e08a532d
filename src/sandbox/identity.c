#include "sandbox/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { MOST_ID = 65536 /* groups of one user: NGROUPS_MAX */ };

/* ---- who it is ---- */

/* (uid_t)-1 means "leave it" to the calls that take it. */
static bool read_number(const char *text, unsigned *number)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value >= UINT32_MAX)
        return false;
    *number = (unsigned)value;
    return true;
}

static int find_groups(struct identity *identity, const char *name)
{
    int count = 64, found;
    do {
        gid_t *groups = realloc(identity->groups, (size_t)count * sizeof *groups);
        if (!groups)
            return fail(PARLEY_RESOURCE, "no memory for the groups of %s", name);
        identity->groups = groups;
        identity->group_count = count;
        found = getgrouplist(name, identity->group, groups, &identity->group_count);
        count *= 2;
    } while (found < 0 && count <= MOST_ID);
    return found < 0 ? fail(PARLEY_RESOURCE, "--user %s: in too many groups", name) : 0;
}

static int find_user(struct identity *identity, const char *user, bool has_group)
{
    unsigned number;
    bool is_number = read_number(user, &number);
    const struct passwd *entry = is_number ? getpwuid(number) : getpwnam(user);
    if (!entry && !is_number)
        return fail(PARLEY_USAGE, "--user %s: there is no such user", user);
    if (!entry && !has_group)
        return fail(PARLEY_USAGE, "--user %s: no user has this number; name a group too, with --group", user);
    identity->user = entry ? entry->pw_uid : number;
    if (has_group)
        return 0;
    identity->group = entry->pw_gid;
    return find_groups(identity, entry->pw_name);
}

static int find_group(struct identity *identity, const char *group)
{
    unsigned number;
    const struct group *entry = getgrnam(group);
    if (!entry && !read_number(group, &number))
        return fail(PARLEY_USAGE, "--group %s: there is no such group", group);
    identity->group = entry ? entry->gr_gid : number;
    return 0;
}

static int check_root(const char *root)
{
    struct stat status;
    if (stat(root, &status) < 0)
        return fail(PARLEY_USAGE, "--chroot %s: %s", root, reason_of("stat", errno));
    return S_ISDIR(status.st_mode) ? 0 : fail(PARLEY_USAGE, "--chroot %s: it is no directory", root);
}

int identity_find(struct identity *identity, const char *user, const char *group, const char *root)
{
    *identity =
        (struct identity){.root = root, .changes = user || group, .user = getuid(), .group = getgid()};
    int status = root ? check_root(root) : 0;
    if (status == 0 && user)
        status = find_user(identity, user, group != NULL);
    if (status == 0 && group)
        status = find_group(identity, group);
    return status;
}

void identity_free(struct identity *identity)
{
    free(identity->groups);
    identity->groups = NULL;
}

/* ---- becoming it ---- */

static int fail_to(const char *call, long what, const char *capability)
{
    char number[32] = "";
    if (what >= 0)
        snprintf(number, sizeof number, " %ld", what);
    return fail(PARLEY_RESOURCE, "%s%s: %s%s%s%s", call, number, reason_of(call, errno),
                errno == EPERM ? " (only root may: it needs " : "", errno == EPERM ? capability : "",
                errno == EPERM ? ")" : "");
}

static int enter_root(const char *root)
{
    if (chroot(root) < 0)
        return fail(PARLEY_RESOURCE, "chroot %s: %s%s", root, reason_of("chroot", errno),
                    errno == EPERM ? " (only root may: it needs CAP_SYS_CHROOT)" : "");
    if (chdir("/") < 0) /* or the old working directory would lead outside */
        return fail(PARLEY_RESOURCE, "chdir to / in %s: %s", root, reason_of("chdir", errno));
    return 0;
}

/* The user last: once it is no longer root it may not change its groups. */
static int become(const struct identity *identity)
{
    if (setgroups((size_t)identity->group_count, identity->groups) < 0)
        return fail_to("setgroups", -1, "CAP_SETGID");
    if (setresgid(identity->group, identity->group, identity->group) < 0)
        return fail_to("setresgid", identity->group, "CAP_SETGID");
    if (setresuid(identity->user, identity->user, identity->user) < 0)
        return fail_to("setresuid", identity->user, "CAP_SETUID");
    return 0;
}

int identity_take(const struct identity *identity)
{
    int status = identity->root ? enter_root(identity->root) : 0;
    return status == 0 && identity->changes ? become(identity) : status;
}

/* ---- for good ---- */

static bool is_taken(const struct identity *identity)
{
    uid_t users[3];
    gid_t groups[3];
    if (getresuid(&users[0], &users[1], &users[2]) < 0 || getresgid(&groups[0], &groups[1], &groups[2]) < 0 ||
        getgroups(0, NULL) != identity->group_count)
        return false;
    for (int i = 0; i < 3; i++)
        if (users[i] != identity->user || groups[i] != identity->group)
            return false;
    return true;
}

int identity_verify(const struct identity *identity)
{
    if (!identity->changes)
        return 0;
    if (!is_taken(identity))
        return fail(PARLEY_RESOURCE, "the kernel did not take user %u and group %u", (unsigned)identity->user,
                    (unsigned)identity->group);
    if (identity->user != 0 && setuid(0) == 0)
        return fail(PARLEY_RESOURCE, "setuid 0: succeeded after user %u was taken, so nothing was given up",
                    (unsigned)identity->user);
    if (identity->user != 0 && identity->group != 0 && setgid(0) == 0)
        return fail(PARLEY_RESOURCE, "setgid 0: succeeded after group %u was taken, so nothing was given up",
                    (unsigned)identity->group);
    return 0;
}
