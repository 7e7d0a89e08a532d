/* What is left after the filter of system calls and after Landlock: each is entered in a child of its own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/capabilities.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"

enum { NOT_HERE = 77 };

/* 0, or the number of the line where it was not so. */
#define HOLDS(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            return __LINE__;                                                                                 \
    } while (0)
/* The call fails, and so. */
#define FAILS(error, call) HOLDS((errno = 0, (call) < 0 && errno == (error)))

/* A line number does not fit into an exit code, so it comes back through a page that is shared. */
static void in_child(int (*check)(void))
{
    int *line = mmap(NULL, sizeof *line, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), how;
    assert_ptr_not_equal(line, MAP_FAILED);
    *line = -1;
    pid_t child = fork();
    if (child == 0) {
        *line = check();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    int at = *line;
    munmap(line, sizeof *line);
    if (at == NOT_HERE)
        skip();
    assert_int_equal(how, 0);
    assert_int_equal(at, 0);
}

static int filtered(unsigned needs)
{
    if (!filter_is_available())
        return NOT_HERE;
    return capabilities_never_gain() == 0 && filter_install(needs) > 50 ? 0 : __LINE__;
}

#define FILTERED(needs)                                                                                      \
    do {                                                                                                     \
        int status = filtered(needs);                                                                        \
        if (status)                                                                                          \
            return status;                                                                                   \
    } while (0)

/* ---- the filter ---- */

static int forbidden_to_all(void)
{
    char *const words[] = {(char *)"/bin/true", NULL};
    FILTERED(FILTER_FORKS | FILTER_RINGS | FILTER_READS | FILTER_REMOVES | FILTER_DIALS | FILTER_TALKS);
    FAILS(EPERM, execve(words[0], words, NULL));
    FAILS(EPERM, syscall(SYS_execveat, AT_FDCWD, words[0], words, NULL, 0));
    FAILS(EPERM, syscall(SYS_ptrace, 0, 0, 0, 0));
    FAILS(EPERM, syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
    FAILS(EPERM, syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
    FAILS(EPERM, syscall(SYS_bpf, 0, NULL, 0));
    FAILS(EPERM, syscall(SYS_unshare, 0));
    FAILS(EPERM, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
    FAILS(EPERM, syscall(SYS_seccomp, 0, 0, NULL));
    FAILS(EPERM, setuid(0));
    FAILS(EPERM, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    FAILS(EPERM, fcntl(0, F_SETOWN, getppid())); /* the kernel would send signals for it */
    FAILS(EPERM, fcntl(0, F_SETSIG, SIGKILL));
    FAILS(EPERM, syscall(SYS_pidfd_open, getppid(), 0));
    FAILS(EPERM, syscall(SYS_rt_sigqueueinfo, getppid(), 0, NULL));
    FAILS(EPERM, ioctl(0, TIOCSTI, "x"));
    FAILS(EPERM, ioctl(0, 1UL << 32 | TIOCSTI, "x")); /* the kernel looks at the lower half */
    FAILS(EPERM, ioctl(0, TIOCLINUX, "x"));
    FAILS(ENOSYS, syscall(SYS_clone3, NULL, 0));
    return 0;
}

static int forbidden_to_a_plain_server(void)
{
    const struct rlimit limit = {1024, 1024};
    FILTERED(0);
    FAILS(EPERM, fork());
    FAILS(EPERM, socket(AF_INET, SOCK_STREAM, 0));
    FAILS(EPERM, connect(0, NULL, 0));
    FAILS(EPERM, open("/dev/null", O_RDONLY));
    FAILS(EPERM, unlink("/nowhere"));
    FAILS(EPERM, kill(getpid(), 0));
    FAILS(EPERM, syscall(SYS_tgkill, getppid(), getppid(), 0));
    FAILS(EPERM, setsockopt(0, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0));
    FAILS(EPERM, setsockopt(0, IPPROTO_TCP, SO_LINGER, NULL, 0));
    FAILS(EPERM, syscall(SYS_seccomp, 1, 0, NULL));
    FAILS(EPERM, prctl(PR_SET_SECCOMP, 2, NULL, 0, 0));
    FAILS(EPERM, syscall(SYS_io_uring_setup, 1, NULL));
    FAILS(EPERM, setrlimit(RLIMIT_NOFILE, &limit));
    HOLDS(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    return 0;
}

static void *nothing(void *context)
{
    return context;
}

static int left_to_a_plain_server(void)
{
    struct rlimit limit;
    pthread_t thread;
    void *result;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    FILTERED(0);
    HOLDS(pthread_create(&thread, NULL, nothing, &limit) == 0);
    HOLDS(pthread_join(thread, &result) == 0 && result == &limit);
    HOLDS(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    HOLDS(pthread_kill(pthread_self(), 0) == 0 && raise(SIGURG) == 0);
    FAILS(ENOTSOCK, setsockopt(null, SOL_SOCKET, SO_LINGER, &limit, sizeof limit));
    HOLDS(fcntl(null, F_GETFL) >= 0 && fcntl(null, F_DUPFD_CLOEXEC, 0) >= 0);
    void *memory = malloc(64 << 20);
    HOLDS(memory);
    free(memory);
    return 0;
}

static int left_to_who_forks(void)
{
    int how;
    FILTERED(FILTER_FORKS);
    pid_t child = fork();
    if (child == 0)
        _exit(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0 && socket(AF_INET, SOCK_STREAM, 0) < 0 ? 3 : 4);
    HOLDS(child > 0 && waitpid(child, &how, 0) == child && WEXITSTATUS(how) == 3);
    return 0;
}

/* What its supervisor keeps, a worker process gives up. */
static int forbidden_to_a_worker(void)
{
    pthread_t thread;
    void *result;
    FILTERED(FILTER_FORKS | FILTER_RINGS | FILTER_DIALS);
    HOLDS(kill(getppid(), 0) == 0 && filter_narrow(false) == 0);
    FAILS(EPERM, fork());
    FAILS(EPERM, syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
    FAILS(EPERM, waitpid(-1, NULL, WNOHANG));
    FAILS(EPERM, kill(getppid(), 0));
    FAILS(EPERM, kill(getpid(), 0));
    FAILS(EPERM, syscall(SYS_tgkill, getppid(), getppid(), 0));
    FAILS(EPERM, syscall(SYS_io_uring_setup, 1, NULL));
    HOLDS(filter_narrow(false) < 0);
    HOLDS(raise(SIGURG) == 0);
    HOLDS(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, &result) == 0);
    HOLDS(socket(AF_INET, SOCK_STREAM, 0) >= 0);
    return 0;
}

/* A program, and the server that started it. */
static int forbidden_to_programs(void)
{
    char *const words[] = {(char *)"/bin/true", NULL};
    int how;
    if (!filter_is_available())
        return NOT_HERE;
    HOLDS(capabilities_never_gain() == 0 && filter_for_programs() > 30);
    FAILS(EPERM, syscall(SYS_ptrace, 0, 0, 0, 0));
    FAILS(EPERM, syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
    FAILS(EPERM, syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
    FAILS(EPERM, syscall(SYS_bpf, 0, NULL, 0));
    FAILS(EPERM, syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
    FAILS(EPERM, syscall(SYS_userfaultfd, 0));
    FAILS(EPERM, syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    FAILS(EPERM, syscall(SYS_clock_settime, -1, NULL));
    FAILS(EPERM, syscall(SYS_reboot, 0, 0, 0, NULL));
    FAILS(EPERM, syscall(SYS_finit_module, -1, NULL, 0));
    FAILS(EPERM, syscall(SYS_kexec_load, 0, 0, NULL, 1UL << 31));
    FAILS(EPERM, syscall(SYS_unshare, CLONE_NEWUSER));
    FAILS(EPERM, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
    FAILS(ENOSYS, syscall(SYS_clone3, NULL, 0));
    FAILS(EPERM, ioctl(-1, TIOCSTI, "x"));
    FAILS(EPERM, ioctl(-1, 1UL << 32 | TIOCSTI, "x"));
    HOLDS(socket(AF_INET, SOCK_STREAM, 0) >= 0 && open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
    HOLDS(syscall(SYS_unshare, CLONE_FILES) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(execve(words[0], words, NULL));
    HOLDS(child > 0 && waitpid(child, &how, 0) == child && how == 0);
    return 0;
}

/* Whoever is forked by an acceptor has its filter, and a number of its own. */
static int forbidden_to_an_acceptor(void)
{
    int how;
    FILTERED(FILTER_FORKS | FILTER_RINGS);
    HOLDS(filter_narrow(true) == 0 && raise(SIGURG) == 0);
    FAILS(EPERM, kill(getppid(), 0));
    FAILS(EPERM, syscall(SYS_tgkill, getppid(), getppid(), 0));
    pid_t child = fork();
    if (child == 0)
        _exit(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) == 0 && kill(getppid(), 0) < 0 &&
                      syscall(SYS_tgkill, getpid(), getpid(), 0) < 0
                  ? 3
                  : 4);
    HOLDS(child > 0);
    FAILS(EPERM, waitpid(child, &how, 0));
    return 0;
}

/* A signal of libedit's for the group of the terminal, and no other. */
static int left_to_who_talks(void)
{
    FILTERED(FILTER_TALKS);
    HOLDS(kill(0, 0) == 0);
    FAILS(EPERM, kill(getppid(), 0));
    FAILS(EPERM, kill(-1, 0));
    HOLDS(raise(SIGURG) == 0);
    return 0;
}

static int left_to_who_reads(void)
{
    FILTERED(FILTER_READS);
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    HOLDS(file >= 0);
    FAILS(EPERM, open("/dev/null", O_WRONLY));
    FAILS(EPERM, open("/dev/null", O_RDWR));
    FAILS(EPERM, open("/dev/null", O_RDONLY | O_CREAT, 0600));
    FAILS(EPERM, open("/dev/null", O_RDONLY | O_TRUNC));
    return 0;
}

static int left_to_who_dials(void)
{
    FILTERED(FILTER_DIALS);
    HOLDS(socket(AF_INET, SOCK_STREAM, 0) >= 0);
    HOLDS(open("/etc/hosts", O_RDONLY | O_CLOEXEC) >= 0);
    FAILS(EPERM, fork());
    return 0;
}

static void test_forbidden_to_all(void **state)
{
    (void)state;
    in_child(forbidden_to_all);
}

static void test_forbidden_to_a_plain_server(void **state)
{
    (void)state;
    in_child(forbidden_to_a_plain_server);
}

static void test_forbidden_to_a_worker(void **state)
{
    (void)state;
    in_child(forbidden_to_a_worker);
    in_child(forbidden_to_an_acceptor);
}

static void test_forbidden_to_programs(void **state)
{
    (void)state;
    in_child(forbidden_to_programs);
}

static void test_left(void **state)
{
    (void)state;
    in_child(left_to_a_plain_server);
    in_child(left_to_who_forks);
    in_child(left_to_who_talks);
    in_child(left_to_who_reads);
    in_child(left_to_who_dials);
}

/* ---- files and ports ---- */

static char readable[] = "/tmp/parley-readable-XXXXXX", removable[] = "/tmp/parley-removable-XXXXXX";

static int make_file(const char *directory, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return file < 0 ? -1 : close(file);
}

static const char *in(const char *directory)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/file", directory);
    return path;
}

static int landlocked(void)
{
    char *reads[] = {readable}, *removes[] = {removable, (char[]){"/nowhere"}};
    const struct left_paths left = {{reads, 1}, {removes, 2}};
    struct sockaddr_in any = {.sin_family = AF_INET};
    int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    HOLDS(stream >= 0 && capabilities_never_gain() == 0);
    int abi = landlock_confine(&left);
    if (abi == 0)
        return NOT_HERE;
    HOLDS(abi > 0);
    HOLDS(open(in(readable), O_RDONLY | O_CLOEXEC) >= 0);
    FAILS(EACCES, open(in(readable), O_WRONLY | O_CLOEXEC));
    FAILS(EACCES, unlink(in(readable)));
    FAILS(EACCES, open(in(removable), O_RDONLY | O_CLOEXEC));
    HOLDS(unlink(in(removable)) == 0);
    FAILS(EACCES, open(in(removable), O_WRONLY | O_CREAT, 0600));
    FAILS(EACCES, open("/etc/passwd", O_RDONLY));
    FAILS(EACCES, open("/", O_RDONLY | O_DIRECTORY));
    if (abi >= 4)
        FAILS(EACCES, bind(stream, (struct sockaddr *)&any, sizeof any));
    return 0;
}

static void test_of_the_files_only_those_named_are_left(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(readable));
    assert_non_null(mkdtemp(removable));
    assert_int_equal(make_file(readable, "file"), 0);
    assert_int_equal(make_file(removable, "file"), 0);
    in_child(landlocked);
    unlink(in(readable));
    unlink(in(removable));
    rmdir(readable);
    rmdir(removable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forbidden_to_all),
        cmocka_unit_test(test_forbidden_to_a_plain_server),
        cmocka_unit_test(test_forbidden_to_a_worker),
        cmocka_unit_test(test_forbidden_to_programs),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_of_the_files_only_those_named_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
