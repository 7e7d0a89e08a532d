#include "exec/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child shares the parent's memory until it runs the program, as after vfork(2): nothing is copied,
 * however large the parent, and a failure is written where the parent finds it. So it calls nothing that
 * takes a lock or allocates, and what changes a process (its user, say) goes to the kernel directly: the C
 * library's functions would tell the parent's threads, and a sanitizer's would note the child's signals and
 * descriptors as the parent's, whose own handlers then stay uncalled. */

#ifdef __SANITIZE_THREAD__
/* clone(), as the C library has it. ThreadSanitizer's own takes the child for a forked one, as which it then
 * treats the parent: it forgives the thread every race, and no longer sees that it was joined. */
int __clone(int (*main)(void *), void *stack, int flags, void *context, ...);
#define clone __clone
#endif

enum { STACK = 64 << 10, NOT_RUN = 127 };

struct child_start {
    struct spawn *spawn;
    pid_t parent;
    int error;
};

static int check(struct child_start *start, const char *call, long outcome)
{
    if (outcome >= 0)
        return 0;
    start->error = errno;
    start->spawn->failed = call;
    return -1;
}

/* ---- the child: each step or none of the later ones ---- */

static int leave_group(struct child_start *start)
{
    if (!start->spawn->program->has_terminal)
        return check(start, "setpgid", setpgid(0, 0));
    if (check(start, "setsid", setsid()) < 0)
        return -1;
    return check(start, "ioctl TIOCSCTTY", ioctl(start->spawn->stream, TIOCSCTTY, 0));
}

/* None of the descriptors is below 3: the command has opened those when it started. */
static int take_descriptors(struct child_start *start)
{
    const struct spawn *spawn = start->spawn;

    if (check(start, "dup3", syscall(SYS_dup3, spawn->stream, STDIN_FILENO, 0)) < 0 ||
        check(start, "dup3", syscall(SYS_dup3, spawn->stream, STDOUT_FILENO, 0)) < 0 ||
        check(start, "dup3", syscall(SYS_dup3, spawn->errors, STDERR_FILENO, 0)) < 0)
        return -1;
    return check(start, "close_range", syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0));
}

static int take_limits(struct child_start *start)
{
    const struct program *program = start->spawn->program;

    for (size_t i = 0; i < program->limit_count; i++) {
        const struct limit *limit = &program->limits[i];
        if (check(start, "setrlimit", prlimit(0, limit->resource, &limit->value, NULL)) < 0)
            return -1;
    }
    return 0;
}

/* The groups first, the user last, and then it must not be possible to come back. */
static int take_identity(struct child_start *start)
{
    const struct identity *identity = &start->spawn->program->identity;
    const uid_t user = identity->user;
    const gid_t group = identity->group;

    if (!start->spawn->program->has_identity)
        return 0;
    if (check(start, "setgroups", syscall(SYS_setgroups, identity->group_count, identity->groups)) < 0 ||
        check(start, "setresgid", syscall(SYS_setresgid, group, group, group)) < 0 ||
        check(start, "setresuid", syscall(SYS_setresuid, user, user, user)) < 0)
        return -1;
    errno = EPERM;
    if (user != 0 && (syscall(SYS_setresuid, 0, 0, 0) == 0 || getuid() != user || geteuid() != user))
        return check(start, "dropping root", -1);
    return 0;
}

/* Its parent may have died before it asked to be told of that. */
static int follow_parent(struct child_start *start)
{
    const bool gains = start->spawn->program->gains_privileges;

    if ((!gains && check(start, "prctl", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) < 0) ||
        check(start, "prctl", prctl(PR_SET_PDEATHSIG, SIGTERM)) < 0)
        return -1;
    errno = ESRCH;
    return check(start, "getppid", getppid() == start->parent ? 0 : -1);
}

static void reset_signals(void)
{
    static const unsigned long usual[8]; /* more than a sigaction of the kernel's, all SIG_DFL and 0 */
    sigset_t none;

    for (int signal = 1; signal < NSIG; signal++)
        syscall(SYS_rt_sigaction, signal, usual, NULL, NSIG / 8); /* two are refused */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Left by execve(2), it would stay on ThreadSanitizer's list of the calls that the parent is in. */
__attribute__((no_sanitize("thread"))) static int child_main(void *context)
{
    struct child_start *start = context;
    const struct program *program = start->spawn->program;

    if (leave_group(start) < 0 || take_descriptors(start) < 0 || take_limits(start) < 0 ||
        take_identity(start) < 0 || follow_parent(start) < 0)
        return NOT_RUN;
    reset_signals();
    check(start, "execve", execve(program->path, (char *const *)program->words, start->spawn->environment));
    return NOT_RUN;
}

/* ---- the parent ---- */

/* What is left of a child that never ran the program. */
static void bury(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

pid_t spawn(struct spawn *spawn)
{
    alignas(16) unsigned char stack[STACK];
    struct child_start start = {.spawn = spawn, .parent = getpid()};
    sigset_t all, before;
    pid_t pid;

    /* A handler of ours would run in the child too, in our memory. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    spawn->failed = "clone";
    pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
    if (pid < 0)
        start.error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid > 0 && !start.error)
        return pid;
    if (pid > 0)
        bury(pid);
    errno = start.error;
    return -1;
}
