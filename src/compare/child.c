#include "compare/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/escape.h"

enum { TERM_PATIENCE = 3000, KILL_PATIENCE = 10000 }; /* ms */

/* ---- in the child, before it becomes another program ---- */

static void stay_on(const struct processors *processors)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < processors->count; i++)
        CPU_SET((size_t)processors->list[i], &set);
    if (processors->count > 0)
        sched_setaffinity(0, sizeof set, &set);
}

static void take_default_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

static void use_descriptors(int said, int passed)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    if (passed >= 0)
        fcntl(passed, F_SETFD, 0);
}

/* Descriptors above 2 are all close-on-exec, `failing` too: it tells the parent how exec failed. */
static _Noreturn void become(const char *path, char *const *words, int failing)
{
    execvp(path, words);
    int error = errno;
    if (write(failing, &error, sizeof error) < 0)
        _exit(1);
    _exit(127);
}

/* ---- in the parent ---- */

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* The errno value of a failed exec, 0 when it went well: the pipe is then closed without a word. */
static int exec_failure(int pipe)
{
    int error = 0;
    ssize_t size;
    while ((size = read(pipe, &error, sizeof error)) < 0 && errno == EINTR)
        ;
    return size == (ssize_t)sizeof error ? error : 0;
}

static int open_files(struct child *child, int tells[2])
{
    child->said = memfd_create("standard error", MFD_CLOEXEC);
    if (child->said < 0)
        return fail_call("memfd_create", NULL, errno);
    fcntl(child->said, F_SETFL, O_APPEND);
    return pipe2(tells, O_CLOEXEC) < 0 ? fail_call("pipe", NULL, errno) : 0;
}

static void reap(struct child *child)
{
    while (child->pid > 0 && wait4(child->pid, &child->status, 0, &child->usage) < 0 && errno == EINTR)
        ;
    child->pid = 0;
}

static int watch(struct child *child, const char *path, int tells)
{
    int error = exec_failure(tells);
    if (error) {
        reap(child);
        return fail_call("exec", path, error);
    }
    child->ended = open_pidfd(child->pid);
    return child->ended < 0 ? fail_call("pidfd_open", NULL, errno) : 0;
}

int child_start(struct child *child, const char *path, char *const *words,
                const struct processors *processors, int passed)
{
    int tells[2] = {-1, -1};
    pid_t parent = getpid();
    *child = (struct child){.ended = -1, .said = -1};
    int status = open_files(child, tells);
    if (status)
        return status;
    child->pid = fork();
    if (child->pid == 0) {
        setpgid(0, 0);
        die_with(parent);
        take_default_signals();
        stay_on(processors);
        use_descriptors(child->said, passed);
        become(path, words, tells[1]);
    }
    close(tells[1]);
    if (child->pid < 0)
        status = fail_call("fork", NULL, errno);
    child->pid = child->pid < 0 ? 0 : child->pid;
    if (status == 0)
        status = watch(child, path, tells[0]);
    close(tells[0]);
    return status;
}

/* Waits at most so long, ms. */
static bool ends_within(const struct child *child, int patience)
{
    struct pollfd wait = {.fd = child->ended, .events = POLLIN};
    int ready;
    while ((ready = poll(&wait, 1, patience)) < 0 && errno == EINTR)
        ;
    return ready > 0;
}

bool child_has_ended(const struct child *child)
{
    return child->pid <= 0 || ends_within(child, 0);
}

void child_end(struct child *child)
{
    if (child->pid <= 0)
        return;
    /* Its own children hear of it from itself; those it leaves behind are in its group, whose number is taken
     * as long as nobody has waited for it. */
    kill(child->pid, SIGTERM);
    if (child->ended < 0 || !ends_within(child, TERM_PATIENCE)) {
        kill(child->pid, SIGKILL);
        if (child->ended >= 0)
            ends_within(child, KILL_PATIENCE);
    }
    kill(-child->pid, SIGKILL);
    reap(child);
}

void child_close(struct child *child)
{
    child_end(child);
    if (child->ended >= 0)
        close(child->ended);
    if (child->said >= 0)
        close(child->said);
    *child = (struct child){.ended = -1, .said = -1};
}

/* ---- what it said ---- */

void child_last_line(const struct child *child, char *text, size_t room)
{
    char end[1024];
    off_t size = child->said >= 0 ? lseek(child->said, 0, SEEK_END) : 0;
    off_t from = size > (off_t)sizeof end - 1 ? size - ((off_t)sizeof end - 1) : 0;
    ssize_t got = size > 0 ? pread(child->said, end, sizeof end - 1, from) : 0;
    while (got > 0 && (end[got - 1] == '\n' || end[got - 1] == ' '))
        got--;
    end[got > 0 ? got : 0] = '\0';
    const char *line = strrchr(end, '\n');
    line = line ? line + 1 : end;
    escape_bytes(text, room, line, strlen(line), "", NULL); /* it goes to a terminal */
}

void child_epitaph(const struct child *child, char *text, size_t room)
{
    char line[256];
    child_last_line(child, line, sizeof line);
    const char *between = *line ? ": " : "";
    if (WIFSIGNALED(child->status))
        snprintf(text, room, "was ended by signal %d (%s)%s%s", WTERMSIG(child->status),
                 strsignal(WTERMSIG(child->status)), between, line);
    else
        snprintf(text, room, "ended with exit code %d%s%s", WEXITSTATUS(child->status), between, line);
}
