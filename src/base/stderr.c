/* Nothing here passes through `sys`: the narrator in front of it would narrate its own writing. */
#include "base/stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* SIGPIPE, and SIGXFSZ of a file that may grow no more, are the program's own affair, and their dispositions
 * not ours to change. They are blocked for the write, and taken back if the write raised them. */
struct guard {
    sigset_t raised, before;
};

static void guard_begin(struct guard *guard)
{
    sigset_t pending;

    sigpending(&pending);
    sigemptyset(&guard->raised);
    if (!sigismember(&pending, SIGPIPE))
        sigaddset(&guard->raised, SIGPIPE);
    if (!sigismember(&pending, SIGXFSZ))
        sigaddset(&guard->raised, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &guard->raised, &guard->before);
}

static void guard_end(const struct guard *guard, bool failed)
{
    static const struct timespec at_once = {0, 0};

    if (failed && (errno == EPIPE || errno == EFBIG))
        sigtimedwait(&guard->raised, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

static bool is_writable(void)
{
    static const struct timespec at_once = {0, 0};
    struct pollfd stderr_only = {.fd = STDERR_FILENO, .events = POLLOUT};

    return ppoll(&stderr_only, 1, &at_once, NULL) == 1 && stderr_only.revents == POLLOUT;
}

/* Kernels before 6.4 do not know RWF_NOWAIT for pipes. There a writer in another process can fill the pipe
 * between the look and the write; nothing better exists. */
static ssize_t write_to_pipe(const void *line, size_t size)
{
    struct iovec whole = {.iov_base = (void *)(uintptr_t)line, .iov_len = size};
    ssize_t written = pwritev2(STDERR_FILENO, &whole, 1, -1, RWF_NOWAIT);

    if (written < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
        written = is_writable() ? write(STDERR_FILENO, line, size) : -1;
    return written;
}

/* The terminal of ^S or of a stopped window. Its descriptor is shared with other programs, whom O_NONBLOCK
 * would surprise; one of our own, for the moment, is not. */
static ssize_t write_to_terminal(const void *line, size_t size)
{
    int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    ssize_t written;

    if (own < 0)
        return is_writable() ? write(STDERR_FILENO, line, size) : -1;
    written = write(own, line, size);
    (close)(own);
    return written;
}

static ssize_t write_by_type(const void *line, size_t size)
{
    struct stat status;

    if (fstat(STDERR_FILENO, &status) < 0)
        return -1;
    if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
        return write_to_pipe(line, size);
    if (S_ISCHR(status.st_mode) && isatty(STDERR_FILENO))
        return write_to_terminal(line, size);
    return write(STDERR_FILENO, line, size);
}

static ssize_t write_guarded(const void *line, size_t size)
{
    struct guard guard;
    ssize_t written;

    guard_begin(&guard);
    do {
        written = write_by_type(line, size);
    } while (written < 0 && errno == EINTR);
    guard_end(&guard, written < 0);
    return written;
}

bool stderr_offer(const void *line, size_t size)
{
    static atomic_bool is_cut; /* the disk was full in the middle of a line: the next one begins behind it */
    int saved = errno;

    if (atomic_load(&is_cut) && write_guarded("\n", 1) == 1)
        atomic_store(&is_cut, false);
    ssize_t written = atomic_load(&is_cut) ? -1 : write_guarded(line, size);
    if (written > 0 && (size_t)written < size)
        atomic_store(&is_cut, true);
    errno = saved;
    return written == (ssize_t)size;
}

void stderr_write(const void *line, size_t size)
{
    const char *rest = line;
    struct guard guard;
    int saved = errno;

    guard_begin(&guard);
    while (size > 0) {
        struct pollfd stderr_only = {.fd = STDERR_FILENO, .events = POLLOUT};
        ssize_t written = write(STDERR_FILENO, rest, size);

        if (written < 0 && errno == EAGAIN) {
            ppoll(&stderr_only, 1, NULL, NULL);
        } else if (written < 0 && errno != EINTR) {
            break;
        } else if (written > 0) {
            rest += written;
            size -= (size_t)written;
        }
    }
    guard_end(&guard, size > 0);
    errno = saved;
}
