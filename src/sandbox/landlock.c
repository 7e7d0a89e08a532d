#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sanitized.h"

/* Newer than the header of the oldest system we are built on. */
struct ruleset {
    uint64_t files, ports, scopes;
};
enum {
    BIND_AND_CONNECT = 3, /* LANDLOCK_ACCESS_NET_BIND_TCP, _CONNECT_TCP */
    OTHERS = 3            /* LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, _SIGNAL */
};

enum {
    ABI_REFER = 2,
    ABI_TRUNCATE = 3,
    ABI_PORTS = 4,
    ABI_DEVICES = 5,
    ABI_SCOPES = 6,
    ALL_OF_ABI_1 = 13, /* rights in its mask: execute, write, read, … make_sym */
};

/* What this kernel has, with the size of the structure it knows. */
static struct ruleset all_of(int abi, size_t *size)
{
    const int rights = ALL_OF_ABI_1 + (abi >= ABI_REFER) + (abi >= ABI_TRUNCATE) + (abi >= ABI_DEVICES);
    *size = abi >= ABI_SCOPES  ? sizeof(struct ruleset)
            : abi >= ABI_PORTS ? 2 * sizeof(uint64_t)
                               : sizeof(uint64_t);
    return (struct ruleset){.files = (UINT64_C(1) << rights) - 1,
                            .ports = abi >= ABI_PORTS ? BIND_AND_CONNECT : 0,
                            .scopes = abi >= ABI_SCOPES ? OTHERS : 0};
}

/* What is not there cannot be read either. */
static int leave(int ruleset, const char *directory, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights,
                                              .parent_fd = open(directory, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return 0;
    long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = errno;
    close(rule.parent_fd);
    return result < 0
               ? fail(PARLEY_RESOURCE, "landlock_add_rule %s: %s", directory, reason_of("landlock", error))
               : 0;
}

static int leave_list(int ruleset, const struct path_list *list, uint64_t rights)
{
    int status = 0;
    for (size_t i = 0; i < list->count && status == 0; i++)
        status = leave(ruleset, list->paths[i], rights);
    return status;
}

static int leave_all(int ruleset, const struct left_paths *left)
{
    int status =
        leave_list(ruleset, &left->reads, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR);
    return status < 0 ? status : leave_list(ruleset, &left->removes, LANDLOCK_ACCESS_FS_REMOVE_FILE);
}

int landlock_confine(const struct left_paths *left)
{
    int abi = IS_SANITIZED
                  ? 0
                  : (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (IS_SANITIZED)
        errno = ENOTSUP;
    if (abi < 1)
        return 0;
    size_t size;
    const struct ruleset attributes = all_of(abi, &size);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return fail(PARLEY_RESOURCE, "landlock_create_ruleset: %s", reason_of("landlock", errno));
    int status = leave_all(ruleset, left);
    if (status == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        status = fail(PARLEY_RESOURCE, "landlock_restrict_self: %s", reason_of("landlock", errno));
    close(ruleset);
    return status < 0 ? status : abi;
}
