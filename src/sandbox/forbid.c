/* Filters that forbid a few calls and leave all others as they were: to workers, and to programs. */
#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
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

/* ---- programs ---- */

static const int no_program_needs[] = {
    /* another kernel, more of it, or none */
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct),
    SCMP_SYS(quotactl), SCMP_SYS(iopl), SCMP_SYS(ioperm),
    /* the time of all */
    SCMP_SYS(settimeofday), SCMP_SYS(stime), SCMP_SYS(clock_settime), SCMP_SYS(clock_settime64),
    /* what is mounted where */
    SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(move_mount),
    SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at),
    /* other processes from inside, the server first of all */
    SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    /* machinery by which kernels have been taken */
    SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(fanotify_init),
    SCMP_SYS(lookup_dcookie), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl)};

enum { PROGRAM_CALLS = sizeof no_program_needs / sizeof *no_program_needs };

static int forbid_if(scmp_filter_ctx filter, int call, unsigned argument, uint64_t mask, uint64_t value)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
                            SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, mask, value));
}

/* Who may be anybody in a user namespace of its own may ask much more of the kernel; clone3 could not be told
 * from one that makes one. What types into a terminal types into the operator's. */
static int forbid_arguments(scmp_filter_ctx filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (result == 0)
        result = forbid_if(filter, SCMP_SYS(clone), 0, CLONE_NEWUSER, CLONE_NEWUSER);
    if (result == 0)
        result = forbid_if(filter, SCMP_SYS(unshare), 0, CLONE_NEWUSER, CLONE_NEWUSER);
    if (result == 0)
        result = forbid_if(filter, SCMP_SYS(ioctl), 1, WHOLE, TIOCSTI);
    return result == 0 ? forbid_if(filter, SCMP_SYS(ioctl), 1, WHOLE, TIOCLINUX) : result;
}

/* Programs may be of any architecture that this kernel runs. */
static int add_architectures(scmp_filter_ctx filter)
{
    const uint32_t native = seccomp_arch_native();
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    if (result == 0 && native == SCMP_ARCH_X86_64)
        result = seccomp_arch_add(filter, SCMP_ARCH_X86);
    if (result == 0 && native == SCMP_ARCH_X86_64)
        result = seccomp_arch_add(filter, SCMP_ARCH_X32);
    return result == 0 && native == SCMP_ARCH_AARCH64 ? seccomp_arch_add(filter, SCMP_ARCH_ARM) : result;
}

static int build_for_programs(scmp_filter_ctx filter)
{
    int result = filter_prepare(filter);
    if (result == 0)
        result = add_architectures(filter);
    if (result == 0)
        result = forbid(filter, no_program_needs, PROGRAM_CALLS);
    if (result == 0)
        result = forbid_arguments(filter);
    return result == 0 ? PROGRAM_CALLS : result;
}

int filter_for_programs(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    return filter_load(filter, filter ? build_for_programs(filter) : -ENOMEM);
}
