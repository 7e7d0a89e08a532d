/* Filters that forbid a few calls and leave all others as they were. */
#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "sandbox/filter.h"
#include "sandbox/filter_load.h"

static int forbid(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    return result;
}

static int forbid_starting(scmp_filter_ctx filter)
{
    static const int calls[] = {SCMP_SYS(fork), SCMP_SYS(io_uring_setup)};
    int result = forbid(filter, calls, sizeof calls / sizeof *calls);
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    return result;
}

static int build_narrower(scmp_filter_ctx filter, bool starts_others)
{
    static const int calls[] = {SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(kill), SCMP_SYS(seccomp)};
    int result = filter_prepare(filter);
    if (result == 0)
        result = forbid(filter, calls, sizeof calls / sizeof *calls);
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, WHOLE, PR_SET_SECCOMP));
    if (result == 0)
        result = filter_own_threads(filter, SCMP_ACT_ERRNO(EPERM), SCMP_CMP_NE);
    return result == 0 && !starts_others ? forbid_starting(filter) : result;
}

int filter_narrow(bool starts_others)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    return filter_load(filter, filter ? build_narrower(filter, starts_others) : -ENOMEM);
}
