#include "sandbox/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

int capabilities_bound(uint64_t keep)
{
    for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
        if (!(keep & CAPABILITY(number)) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) {
            if (errno == EPERM)
                return 0; /* CAP_SETPCAP is not ours: no_new_privs keeps programs from gaining */
            return fail(PARLEY_RESOURCE, "prctl PR_CAPBSET_DROP %d: %s", number, reason_of("prctl", errno));
        }
    return 0;
}

/* The C library has no such calls, and a library for these two would be longer than they are. */
static int exchange(long call, struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(call, &header, sets) < 0 ? -1 : 0;
}

int capabilities_drop(uint64_t keep)
{
    /* valgrind believes that the kernel fills the first only. */
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return fail(PARLEY_RESOURCE, "prctl PR_CAP_AMBIENT_CLEAR_ALL: %s", reason_of("prctl", errno));
    if (exchange(SYS_capget, sets) < 0)
        return fail(PARLEY_RESOURCE, "capget: %s", reason_of("capget", errno));
    bool has_more = false;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        has_more |= (sets[i].permitted & ~(uint32_t)(keep >> 32 * i)) != 0 || sets[i].inheritable != 0;
        sets[i].permitted &= (uint32_t)(keep >> 32 * i);
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    /* Who has nothing to give up need not be allowed the call. */
    return has_more && exchange(SYS_capset, sets) < 0
               ? fail(PARLEY_RESOURCE, "capset: %s", reason_of("capset", errno))
               : 0;
}

int capabilities_never_gain(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
               ? fail(PARLEY_RESOURCE, "prctl PR_SET_NO_NEW_PRIVS: %s", reason_of("prctl", errno))
               : 0;
}
