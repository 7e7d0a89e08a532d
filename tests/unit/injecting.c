#include "injecting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "serving.h"

/* Shared with worker processes, so that "once" is once in all of them. */
struct plans {
    struct {
        atomic_int error, skip, times, calls, failures;
    } of[CALLS];
    atomic_bool refuse, single;
    atomic_uint turn;
};

static struct sys real;
static struct plans *plans;

void plan(enum call call, int error, int skip, int times)
{
    atomic_store(&plans->of[call].error, error);
    atomic_store(&plans->of[call].skip, skip);
    atomic_store(&plans->of[call].times, times);
}

void plan_trickle(bool refuse, bool single)
{
    atomic_store(&plans->refuse, refuse);
    atomic_store(&plans->single, single);
}

void plan_nothing(void)
{
    for (int call = 0; call < CALLS; call++) {
        plan((enum call)call, 0, 0, 0);
        atomic_store(&plans->of[call].calls, 0);
        atomic_store(&plans->of[call].failures, 0);
    }
    plan_trickle(false, false);
}

int calls_of(enum call call)
{
    return atomic_load(&plans->of[call].calls);
}

int failures_of(enum call call)
{
    return atomic_load(&plans->of[call].failures);
}

/* Whether this call is to fail; errno is then set. */
static bool fails(enum call call)
{
    atomic_fetch_add(&plans->of[call].calls, 1);
    if (atomic_load(&plans->of[call].times) <= 0 || atomic_fetch_sub(&plans->of[call].skip, 1) > 0 ||
        atomic_fetch_sub(&plans->of[call].times, 1) <= 0)
        return false;
    atomic_fetch_add(&plans->of[call].failures, 1);
    errno = atomic_load(&plans->of[call].error);
    return true;
}

/* ---- epoll's edges -------------------------------------------------------------------------- */

/* A refusal or a short read of ours leaves bytes, or room, that make no new edge: the kernel's own never do
 * that. So the descriptor is told to epoll anew. */
enum { DESCRIPTORS = 1024 };
static struct {
    atomic_int epoll;
    atomic_uint events;
    atomic_ullong data;
} edges[DESCRIPTORS];

static void new_edge(int fd)
{
    int before = errno;
    struct epoll_event event = {.events = atomic_load(&edges[fd].events), .data.u64 = edges[fd].data};

    if (event.events & EPOLLET)
        epoll_ctl(atomic_load(&edges[fd].epoll), EPOLL_CTL_MOD, fd, &event);
    errno = before;
}

static int planned_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && fails(CALL_EPOLL_CTL))
        return -1;
    if (operation == EPOLL_CTL_ADD && fd < DESCRIPTORS) {
        atomic_store(&edges[fd].epoll, epoll);
        atomic_store(&edges[fd].events, event->events);
        atomic_store(&edges[fd].data, event->data.u64);
    }
    return real.epoll_ctl(epoll, operation, fd, event);
}

/* The next owner of the number may not be epoll's. */
static int planned_close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store(&edges[fd].events, 0);
    return real.close(fd);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool refuses(int fd)
{
    if (!atomic_load(&plans->refuse) || atomic_fetch_add(&plans->turn, 1) % 2 == 0)
        return false;
    new_edge(fd);
    errno = EAGAIN;
    return true;
}

static size_t allowed(int fd, size_t size)
{
    if (!atomic_load(&plans->single))
        return size;
    new_edge(fd);
    return 1;
}

static ssize_t planned_recv(int fd, void *bytes, size_t size, int flags)
{
    if (fails(CALL_RECV) || refuses(fd))
        return -1;
    return real.recv(fd, bytes, allowed(fd, size), flags);
}

static ssize_t planned_send(int fd, const void *bytes, size_t size, int flags)
{
    if (fails(CALL_SEND) || refuses(fd))
        return -1;
    return real.send(fd, bytes, allowed(fd, size), flags);
}

static ssize_t planned_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (fails(CALL_SEND) || refuses(fd))
        return -1;
    if (atomic_load(&plans->single) && message->msg_iovlen > 0) {
        size_t first = 0;
        while (first + 1 < message->msg_iovlen && message->msg_iov[first].iov_len == 0)
            first++;
        return real.send(fd, message->msg_iov[first].iov_base, allowed(fd, 1), flags);
    }
    return real.sendmsg(fd, message, flags);
}

/* ---- the other calls ------------------------------------------------------------------------ */

static int planned_socket(int family, int type, int protocol)
{
    return fails(CALL_SOCKET) ? -1 : real.socket(family, type, protocol);
}

static int planned_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return fails(CALL_BIND) ? -1 : real.bind(fd, address, length);
}

static int planned_listen(int fd, int backlog)
{
    return fails(CALL_LISTEN) ? -1 : real.listen(fd, backlog);
}

static int planned_accept(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return fails(CALL_ACCEPT) ? -1 : real.accept4(fd, address, length, flags);
}

static int planned_shutdown(int fd, int how)
{
    return fails(CALL_SHUTDOWN) ? -1 : real.shutdown(fd, how);
}

static int planned_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    return fails(CALL_SETSOCKOPT) ? -1 : real.setsockopt(fd, level, name, value, length);
}

static int planned_epoll_create(int flags)
{
    return fails(CALL_EPOLL_CREATE) ? -1 : real.epoll_create1(flags);
}

static int planned_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    return fails(CALL_EPOLL_WAIT) ? -1 : real.epoll_wait(epoll, events, max, timeout);
}

static int planned_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return fails(CALL_POLL) ? -1 : real.poll(fds, count, timeout);
}

static int planned_select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    return fails(CALL_SELECT) ? -1 : real.select(count, in, out, except, timeout);
}

static int planned_eventfd(unsigned initial, int flags)
{
    return fails(CALL_EVENTFD) ? -1 : real.eventfd(initial, flags);
}

static pid_t planned_fork(void)
{
    return fails(CALL_FORK) ? -1 : real.fork();
}

static int planned_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    return fails(CALL_THREAD) ? errno : real.pthread_create(thread, attributes, run, argument);
}

static void *planned_malloc(size_t size)
{
    return fails(CALL_ALLOCATE) ? NULL : real.malloc(size);
}

static void *planned_calloc(size_t count, size_t size)
{
    return fails(CALL_ALLOCATE) ? NULL : real.calloc(count, size);
}

static void *planned_realloc(void *memory, size_t size)
{
    return fails(CALL_ALLOCATE) ? NULL : real.realloc(memory, size);
}

static void replace_bytes_and_waits(void)
{
    sys.recv = planned_recv;
    sys.send = planned_send;
    sys.sendmsg = planned_sendmsg;
    sys.shutdown = planned_shutdown;
    sys.close = planned_close;
    sys.setsockopt = planned_setsockopt;
    sys.epoll_create1 = planned_epoll_create;
    sys.epoll_ctl = planned_epoll_ctl;
    sys.epoll_wait = planned_epoll_wait;
    sys.poll = planned_poll;
    sys.select = planned_select;
}

int injecting_prepare(void **state)
{
    plans = mmap(NULL, sizeof *plans, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    real = sys;
    replace_bytes_and_waits();
    sys.socket = planned_socket;
    sys.bind = planned_bind;
    sys.listen = planned_listen;
    sys.accept4 = planned_accept;
    sys.eventfd = planned_eventfd;
    sys.fork = planned_fork;
    sys.pthread_create = planned_thread;
    sys.malloc = planned_malloc;
    sys.calloc = planned_calloc;
    sys.realloc = planned_realloc;
    return serving_prepare(state);
}

int injecting_check(void **state)
{
    sys = real;
    munmap(plans, sizeof *plans);
    return serving_check(state);
}

int injecting_end(void **state)
{
    plan_nothing();
    return serving_end(state);
}

/* ---- a client that may be turned away ------------------------------------------------------- */

static bool is_served(void)
{
    char heard[5];
    int fd = client_open();
    size_t got = 0;
    ssize_t n = send(fd, "hello", 5, MSG_NOSIGNAL);

    while (n >= 0 && got < sizeof heard) {
        n = recv(fd, heard + got, sizeof heard - got, 0);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        got += n > 0 ? (size_t)n : 0;
        n = 0;
    }
    client_leave(fd);
    return got == sizeof heard && memcmp(heard, "hello", 5) == 0;
}

void client_is_served_at_last(void)
{
    UNTIL(is_served());
}
