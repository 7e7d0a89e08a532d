#include "sandbox/filter_load.h"

#include <unistd.h>

#include "base/error.h"

/* NNP is ours to set; of the mitigations that filters once switched on for their process nothing here has
 * use, as it runs nobody's code. */
int filter_prepare(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    return result == 0 ? seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) : result;
}

int filter_own_threads(scmp_filter_ctx filter, uint32_t action, enum scmp_compare compare)
{
    return seccomp_rule_add(filter, action, SCMP_SYS(tgkill), 1, SCMP_CMP(0, compare, (uint64_t)getpid(), 0));
}

int filter_load(scmp_filter_ctx filter, int result)
{
    const int loaded = result < 0 ? result : seccomp_load(filter);
    seccomp_release(filter);
    return loaded < 0 ? fail(PARLEY_RESOURCE, "seccomp: %s", reason_of("seccomp", -loaded)) : result;
}
