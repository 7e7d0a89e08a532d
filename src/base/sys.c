#include "base/sys.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* glibc declares these three with a transparent union for the address, which no plain pointer fits. */
static int real_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return bind(fd, address, length);
}

static int real_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return accept4(fd, address, length, flags);
}

static int real_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length);
}

/* What every message costs goes to the kernel directly. The C library's functions are cancellation points: in
 * a process of several threads each of them takes and gives back a lock of the thread's, and nobody cancels a
 * worker. The last argument of recvfrom and sendto is the length of an address; there is none, so the kernel
 * does not look, and without it syscall() is reached by a jump. */
static ssize_t real_recv(int fd, void *bytes, size_t size, int flags)
{
    return syscall(SYS_recvfrom, fd, bytes, size, flags, NULL);
}

static ssize_t real_send(int fd, const void *bytes, size_t size, int flags)
{
    return syscall(SYS_sendto, fd, bytes, size, flags, NULL);
}

static int real_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    return (int)syscall(SYS_epoll_pwait, epoll, events, max, timeout, NULL);
}

/* CLOCK_MONOTONIC: setting the wall clock moves no deadline. */
static int64_t real_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Asked of the kernel each time: with no state of ours, a forked child cannot repeat its parent. */
static uint32_t real_random(void)
{
    uint32_t value = 0;
    struct timespec time;

    if (getrandom(&value, sizeof value, GRND_NONBLOCK) == (ssize_t)sizeof value)
        return value;
    /* Early in a boot the kernel has none yet. Process and time are apart enough for jitter. */
    clock_gettime(CLOCK_MONOTONIC, &time);
    value = (uint32_t)getpid() * 2654435761u ^ (uint32_t)time.tv_nsec * 2246822519u;
    return value ^ value >> 15;
}

_Thread_local bool sys_untold;

struct sys sys = {
    .socket = socket,
    .bind = real_bind,
    .fchmodat = fchmodat,
    .listen = listen,
    .accept4 = real_accept4,
    .connect = real_connect,
    .recv = real_recv,
    .send = real_send,
    .sendmsg = sendmsg,
    .shutdown = shutdown,
    .close = close,
    .setsockopt = setsockopt,
    .getsockopt = getsockopt,
    .epoll_create1 = epoll_create1,
    .epoll_ctl = epoll_ctl,
    .epoll_wait = real_epoll_wait,
    .epoll_pwait2 = epoll_pwait2,
    .poll = poll,
    .select = select,
    .eventfd = eventfd,
    .fork = fork,
    .pthread_create = pthread_create,
    .malloc = malloc,
    .calloc = calloc,
    .realloc = realloc,
    .free = free,
    .now = real_now,
    .random = real_random,
    .note = NULL,
};
