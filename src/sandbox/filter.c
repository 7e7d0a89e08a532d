#include "sandbox/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "sandbox/filter_load.h"

/* ---- the list ---- */

enum { ALWAYS = 0, LOOKS_AROUND = FILTER_DIALS | FILTER_TALKS };

/* A call that is allowed with any arguments, to whom. */
struct permission {
    int call;
    unsigned needs; /* one of these; ALWAYS: nothing */
};

#define TO(needs, call)                                                                                      \
    {                                                                                                        \
        SCMP_SYS(call), needs                                                                                \
    }

static const struct permission permissions[] = {
    /* connections */
    TO(ALWAYS, accept4),
    TO(ALWAYS, recvfrom),
    TO(ALWAYS, sendto),
    TO(ALWAYS, sendmsg),
    TO(ALWAYS, read),
    TO(ALWAYS, write),
    TO(ALWAYS, writev),
    TO(ALWAYS, pwritev2),
    TO(ALWAYS, shutdown),
    TO(ALWAYS, close),
    TO(ALWAYS, getsockopt),
    TO(ALWAYS, getsockname),
    TO(ALWAYS, getpeername),
    TO(ALWAYS, fstat),
    TO(ALWAYS, newfstatat),
    TO(ALWAYS, statx),
    /* waiting */
    TO(ALWAYS, poll),
    TO(ALWAYS, ppoll),
    TO(ALWAYS, select),
    TO(ALWAYS, pselect6),
    TO(ALWAYS, epoll_create1),
    TO(ALWAYS, epoll_ctl),
    TO(ALWAYS, epoll_wait),
    TO(ALWAYS, epoll_pwait),
    TO(ALWAYS, epoll_pwait2),
    TO(ALWAYS, eventfd2),
    TO(ALWAYS, nanosleep),
    TO(ALWAYS, clock_nanosleep),
    TO(ALWAYS, restart_syscall),
    /* the clock, and who we are */
    TO(ALWAYS, clock_gettime),
    TO(ALWAYS, gettimeofday),
    TO(ALWAYS, time),
    TO(ALWAYS, getrandom),
    TO(ALWAYS, getpid),
    TO(ALWAYS, getppid),
    TO(ALWAYS, gettid),
    TO(ALWAYS, getuid),
    TO(ALWAYS, geteuid),
    TO(ALWAYS, getgid),
    TO(ALWAYS, getegid),
    /* memory, threads and signals, as the C library needs them */
    TO(ALWAYS, brk),
    TO(ALWAYS, munmap),
    TO(ALWAYS, mremap),
    TO(ALWAYS, madvise),
    TO(ALWAYS, futex),
    TO(ALWAYS, set_robust_list),
    TO(ALWAYS, rseq),
    TO(ALWAYS, sched_yield),
    TO(ALWAYS, sched_getaffinity),
    TO(ALWAYS, rt_sigaction),
    TO(ALWAYS, rt_sigprocmask),
    TO(ALWAYS, rt_sigpending),
    TO(ALWAYS, rt_sigtimedwait),
    TO(ALWAYS, rt_sigreturn),
    TO(ALWAYS, exit),
    TO(ALWAYS, exit_group),
    /* worker processes */
    TO(FILTER_FORKS, fork),
    TO(FILTER_FORKS, wait4),
    TO(FILTER_FORKS, waitid),
    TO(FILTER_FORKS, kill),
    TO(FILTER_FORKS, tgkill),
    TO(FILTER_FORKS, setitimer),
    TO(FILTER_RINGS, io_uring_setup),
    TO(FILTER_RINGS, io_uring_enter),
    TO(FILTER_RINGS, io_uring_register),
    /* files */
    TO(FILTER_READS, getdents64),
    TO(FILTER_READS, lseek),
    TO(FILTER_REMOVES, unlink),
    TO(FILTER_REMOVES, unlinkat),
    /* connections made from here: the libraries that look up names do what they like, but start nothing */
    TO(LOOKS_AROUND, openat),
    TO(LOOKS_AROUND, access),
    TO(LOOKS_AROUND, faccessat),
    TO(LOOKS_AROUND, faccessat2),
    TO(LOOKS_AROUND, getdents64),
    TO(LOOKS_AROUND, pread64),
    TO(LOOKS_AROUND, lseek),
    TO(LOOKS_AROUND | FILTER_EXPLAINS, readlink),
    TO(LOOKS_AROUND | FILTER_EXPLAINS, readlinkat),
    TO(LOOKS_AROUND, setsockopt),
    TO(LOOKS_AROUND, uname),
    TO(LOOKS_AROUND, sysinfo),
    TO(FILTER_DIALS, mmap),
    TO(FILTER_DIALS, mprotect),
    TO(FILTER_DIALS, socket),
    TO(FILTER_DIALS, socketpair),
    TO(FILTER_DIALS, bind),
    TO(FILTER_DIALS, connect),
    TO(FILTER_DIALS, recvmsg),
    TO(FILTER_DIALS, sendmmsg),
    TO(FILTER_DIALS, recvmmsg),
    TO(FILTER_DIALS, membarrier),
    TO(FILTER_DIALS, statfs),
    TO(FILTER_DIALS, fstatfs),
    /* an operator */
    TO(FILTER_TALKS, signalfd4),
    TO(FILTER_TALKS, setitimer),
    TO(FILTER_TALKS, fsync),
    TO(FILTER_TALKS, fdatasync),
    TO(FILTER_TALKS, ftruncate),
    TO(FILTER_TALKS, fchmod),
    TO(FILTER_TALKS, fchown),
    TO(FILTER_TALKS, umask),
    TO(FILTER_TALKS, rename),
    TO(FILTER_TALKS, renameat),
    TO(FILTER_TALKS, renameat2),
    TO(FILTER_TALKS, link),
    TO(FILTER_TALKS, linkat),
    TO(FILTER_TALKS, unlink),
    TO(FILTER_TALKS, unlinkat),
    TO(FILTER_TALKS, dup),
    TO(FILTER_TALKS, dup2),
    TO(FILTER_TALKS, dup3),
};

/* A call that is allowed, to whom, if the bits `mask` of one argument have this value. */
struct condition {
    int call;
    unsigned argument;
    uint64_t mask, value; /* of an int the lower half counts, as for the kernel: WHOLE */
    unsigned needs;       /* one of these; ALWAYS: nothing */
    unsigned unless;      /* needs that have the call whole already */
};

#define FCNTL(needs, command)                                                                                \
    {                                                                                                        \
        SCMP_SYS(fcntl), 1, WHOLE, command, needs, 0                                                         \
    }

static const struct condition conditions[] = {
    {SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD, ALWAYS, FILTER_FORKS},
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0, ALWAYS, FILTER_DIALS}, /* no code comes in */
    {SCMP_SYS(mprotect), 2, PROT_EXEC, 0, ALWAYS, FILTER_DIALS},
    {SCMP_SYS(prlimit64), 2, UINT64_MAX, 0, ALWAYS, 0}, /* limits are asked, not set */
    {SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_PDEATHSIG, ALWAYS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, TCGETS, ALWAYS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, SIOCINQ, ALWAYS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, SIOCOUTQ, ALWAYS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, FIONBIO, LOOKS_AROUND, 0},
    /* A terminal is set and asked, and not typed into (TIOCSTI). */
    {SCMP_SYS(ioctl), 1, WHOLE, TCSETS, FILTER_TALKS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, TCSETSW, FILTER_TALKS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, TCSETSF, FILTER_TALKS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, TCFLSH, FILTER_TALKS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, TIOCGWINSZ, FILTER_TALKS, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, TIOCGPGRP, FILTER_TALKS, 0},
    /* Not F_SETOWN and its kin, by which the kernel would send signals for us. */
    FCNTL(ALWAYS, F_GETFD),
    FCNTL(ALWAYS, F_SETFD),
    FCNTL(ALWAYS, F_GETFL),
    FCNTL(ALWAYS, F_SETFL),
    FCNTL(ALWAYS, F_DUPFD_CLOEXEC),
    FCNTL(LOOKS_AROUND, F_DUPFD),
    FCNTL(LOOKS_AROUND, F_GETLK),
    FCNTL(LOOKS_AROUND, F_SETLK),
    FCNTL(LOOKS_AROUND, F_SETLKW),
    {SCMP_SYS(kill), 0, WHOLE, 0, FILTER_TALKS, FILTER_FORKS}, /* libedit tells the terminal's own group */
    /* Its workers give up more, filter_narrow(). */
    {SCMP_SYS(seccomp), 0, WHOLE, SECCOMP_SET_MODE_FILTER, FILTER_FORKS, 0},
    {SCMP_SYS(prctl), 0, UINT64_MAX, PR_SET_SECCOMP, FILTER_FORKS, 0},
};

/* ---- the filter ---- */

bool filter_is_available(void)
{
    const uint32_t action = SECCOMP_RET_ERRNO;
    if (IS_SANITIZED)
        errno = ENOTSUP;
    return !IS_SANITIZED && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* Returns 1 more call, or an errno value below 0. */
static int allow(scmp_filter_ctx filter, const struct permission *permission, unsigned needs)
{
    if (permission->needs != ALWAYS && !(permission->needs & needs))
        return 0;
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, permission->call, 0);
    return result < 0 ? result : 1;
}

static int allow_if(scmp_filter_ctx filter, const struct condition *condition, unsigned needs)
{
    if (condition->unless & needs || (condition->needs != ALWAYS && !(condition->needs & needs)))
        return 0;
    return seccomp_rule_add(
        filter, SCMP_ACT_ALLOW, condition->call, 1,
        SCMP_CMP(condition->argument, SCMP_CMP_MASKED_EQ, condition->mask, condition->value));
}

/* In a user namespace of its own a process has every capability again. */
enum {
    NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                 CLONE_NEWCGROUP
};

/* All that is set on a connection; what else is wanted was set on its listener. */
static int allow_socket_options(scmp_filter_ctx filter)
{
    static const int names[] = {SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO};
    int result = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, WHOLE, SOL_SOCKET),
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, WHOLE, (uint64_t)names[i]));
    return result;
}

/* What needs more than a line of the tables. A C library that is told that there is no clone3, whose
 * arguments no filter can see, uses clone. Files are opened to be read. */
static int allow_the_rest(scmp_filter_ctx filter, unsigned needs)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (result == 0 && !(needs & LOOKS_AROUND))
        result = allow_socket_options(filter);
    if (result == 0 && !(needs & FILTER_FORKS))
        result = filter_own_threads(filter, SCMP_ACT_ALLOW, SCMP_CMP_EQ);
    if (result == 0 && needs & FILTER_FORKS)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACES, 0));
    if (result == 0 && needs & FILTER_READS && !(needs & LOOKS_AROUND))
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
    return result;
}

static int fill(scmp_filter_ctx filter, unsigned needs)
{
    int calls = 0, result = allow_the_rest(filter, needs);
    for (size_t i = 0; i < sizeof permissions / sizeof *permissions && result >= 0; i++) {
        result = allow(filter, &permissions[i], needs);
        calls += result;
    }
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions && result >= 0; i++)
        result = allow_if(filter, &conditions[i], needs);
    return result < 0 ? result : calls;
}

static int build(scmp_filter_ctx filter, unsigned needs)
{
    int result = filter_prepare(filter);
    if (result == 0) /* a tree is searched faster than a list */
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return result == 0 ? fill(filter, needs) : result;
}

int filter_install(unsigned needs)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    return filter_load(filter, filter ? build(filter, needs) : -ENOMEM);
}
