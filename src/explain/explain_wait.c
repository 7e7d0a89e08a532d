/* Narrates waiting for many descriptors at once: epoll, poll, select. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "explain/narration.h"

enum { SHOWN = 6, WATCHED = 4096 };

/* ", 2000 ms)" or ", for ever)" */
static void call_timeout(struct narration *narration, int timeout)
{
    if (timeout < 0)
        narration_call(narration, ", for ever)");
    else
        narration_call(narration, ", %d ms)", timeout);
}

static void say_sleep(const char *call, int fd, int timeout)
{
    struct narration narration;

    narration_begin(&narration, call);
    if (fd >= 0)
        narration_call(&narration, "(%d)", fd);
    else
        narration_call(&narration, "()");
    if (timeout < 0)
        narration_mean(&narration, "sleeps until one of its descriptors is ready");
    else
        narration_mean(&narration, "sleeps until one of its descriptors is ready, %d ms at most", timeout);
    narration_say_sleep(&narration);
}

/* ---- epoll ---------------------------------------------------------------------------------- */

/* The kernel gives back 64 bits of the caller's choice, not the descriptor. Here is which was registered with
 * which: a hash of the bits, with the descriptor below. A collision costs a number in a line, no more. */
static atomic_ullong watched[WATCHED];

static uint64_t hash_of(int epoll, const struct epoll_event *event)
{
    uint64_t mixed = (event->data.u64 ^ (uint64_t)epoll << 48) * 0x9e3779b97f4a7c15u;

    return mixed ^ mixed >> 29;
}

static void remember(int epoll, int fd, const struct epoll_event *event)
{
    uint64_t hash = hash_of(epoll, event);

    if (fd <= UINT16_MAX)
        atomic_store(&watched[hash % WATCHED], (hash & ~(uint64_t)UINT16_MAX) | (uint64_t)fd);
}

static int recall(int epoll, const struct epoll_event *event)
{
    uint64_t hash = hash_of(epoll, event), found = atomic_load(&watched[hash % WATCHED]);

    return ((found ^ hash) & ~(uint64_t)UINT16_MAX) == 0 ? (int)(found & UINT16_MAX) : -1;
}

static int explain_epoll_create1(int flags)
{
    struct narration narration;
    int epoll = plain_sys.epoll_create1(flags);

    narration_begin(&narration, "epoll_create1");
    narration_call(&narration, "()");
    if (epoll >= 0) {
        descriptor_made(epoll);
        narration_mean(&narration, "a list of descriptors to watch, kept in the kernel between calls");
    }
    narration_say(&narration, epoll);
    return epoll;
}

static void call_epoll_events(struct narration *narration, uint32_t events)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{EPOLLIN, "EPOLLIN"},
                 {EPOLLOUT, "EPOLLOUT"},
                 {EPOLLRDHUP, "EPOLLRDHUP"},
                 {EPOLLHUP, "EPOLLHUP"},
                 {EPOLLERR, "EPOLLERR"},
                 {EPOLLET, "EPOLLET"},
                 {EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"}};
    const char *between = ", ";

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (events & names[i].bit) {
            narration_call(narration, "%s%s", between, names[i].name);
            between = "|";
        }
    }
}

static int explain_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    static const char *const names[] = {"?", "EPOLL_CTL_ADD", "EPOLL_CTL_DEL", "EPOLL_CTL_MOD"};
    static const char *const meanings[] = {"", "on the list: no later call has to name it again",
                                           "off the list", "watched for something else from now on"};
    struct narration narration;
    int known = operation >= 1 && operation <= 3 ? operation : 0;
    int result = plain_sys.epoll_ctl(epoll, operation, fd, event);

    narration_begin(&narration, "epoll_ctl");
    narration_call(&narration, "(%d, %s, %d", epoll, names[known], fd);
    if (event != NULL && operation != EPOLL_CTL_DEL) {
        remember(epoll, fd, event);
        call_epoll_events(&narration, event->events);
    }
    narration_call(&narration, ")");
    if (result == 0)
        narration_mean(&narration, "%s", meanings[known]);
    narration_say(&narration, result);
    return result;
}

/* " 5 (input, its end)" */
static void mean_ready(struct narration *narration, int fd, bool in, bool out, bool end)
{
    if (fd >= 0)
        narration_mean(narration, " %d", fd);
    narration_mean(narration, " (%s%s%s%s%s)", in ? "input" : "", in && (out || end) ? ", " : "",
                   out ? "room for output" : "", out && end ? ", " : "", end ? "its end" : "");
}

static void mean_timeout(struct narration *narration)
{
    narration_mean(narration, "time is up, nothing is ready: a timer of ours is due");
}

static int explain_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    struct pollfd itself = {.fd = epoll, .events = POLLIN};
    struct narration narration;
    int count;

    if (timeout != 0 && plain_sys.poll(&itself, 1, 0) == 0)
        say_sleep("epoll_wait", epoll, timeout);
    count = plain_sys.epoll_wait(epoll, events, max, timeout);
    narration_begin(&narration, "epoll_wait");
    narration_call(&narration, "(%d, events, %d", epoll, max);
    call_timeout(&narration, timeout);
    if (count == 0)
        mean_timeout(&narration);
    for (int i = 0; i < count && i < SHOWN; i++) {
        uint32_t ready = events[i].events;
        narration_mean(&narration, i == 0 ? "ready:" : ",");
        mean_ready(&narration, recall(epoll, &events[i]), ready & EPOLLIN, ready & EPOLLOUT,
                   ready & (EPOLLHUP | EPOLLRDHUP | EPOLLERR));
    }
    if (count > 0)
        narration_mean(&narration, "%s; the kernel names the ready alone", count > SHOWN ? ", …" : "");
    narration_say(&narration, count);
    return count;
}

/* ---- poll ----------------------------------------------------------------------------------- */

static void call_polled(struct narration *narration, const struct pollfd *fds, nfds_t count)
{
    nfds_t shown = 0;

    narration_call(narration, "({");
    for (nfds_t i = 0; i < count && shown < SHOWN; i++) {
        if (fds[i].fd >= 0) {
            narration_call(narration, "%s%d%s", shown > 0 ? " " : "", fds[i].fd,
                           fds[i].events & POLLOUT ? fds[i].events & POLLIN ? ":in,out" : ":out" : "");
            shown++;
        }
    }
    narration_call(narration, "%s}, %lu", count > SHOWN ? " …" : "", (unsigned long)count);
}

static void mean_polled(struct narration *narration, const struct pollfd *fds, nfds_t count)
{
    nfds_t shown = 0;

    narration_mean(narration, "ready:");
    for (nfds_t i = 0; i < count && shown < SHOWN; i++) {
        short ready = fds[i].revents;
        if (ready != 0) {
            narration_mean(narration, "%s", shown++ > 0 ? "," : "");
            mean_ready(narration, fds[i].fd, ready & POLLIN, ready & POLLOUT,
                       ready & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL));
        }
    }
    narration_mean(narration, "; the whole list went in, and we look through all of it");
}

static int explain_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct narration narration;
    int ready = timeout != 0 ? plain_sys.poll(fds, count, 0) : 0;

    if (timeout != 0 && ready == 0)
        say_sleep("poll", -1, timeout);
    if (ready == 0)
        ready = plain_sys.poll(fds, count, timeout);
    narration_begin(&narration, "poll");
    call_polled(&narration, fds, count);
    call_timeout(&narration, timeout);
    if (ready > 0)
        mean_polled(&narration, fds, count);
    else if (ready == 0)
        mean_timeout(&narration);
    narration_say(&narration, ready);
    return ready;
}

/* ---- select --------------------------------------------------------------------------------- */

static int first_of(const fd_set *set, int from, int count)
{
    while (set != NULL && from < count && !FD_ISSET(from, set))
        from++;
    return set != NULL && from < count ? from : -1;
}

static void call_set(struct narration *narration, const fd_set *set, int count)
{
    int shown = 0;

    narration_call(narration, ", {");
    for (int fd = first_of(set, 0, count); fd >= 0; fd = first_of(set, fd + 1, count)) {
        if (shown == SHOWN) {
            narration_call(narration, " …");
            break;
        }
        narration_call(narration, "%s%d", shown++ > 0 ? " " : "", fd);
    }
    narration_call(narration, "}");
}

static void mean_selected(struct narration *narration, const fd_set *in, const fd_set *out, int count)
{
    int shown = 0;

    narration_mean(narration, "ready:");
    for (int fd = 0; fd < count && shown < SHOWN; fd++) {
        bool reads = in != NULL && FD_ISSET(fd, in), writes = out != NULL && FD_ISSET(fd, out);
        if (reads || writes) {
            narration_mean(narration, "%s", shown++ > 0 ? "," : "");
            mean_ready(narration, fd, reads, writes, false);
        }
    }
    narration_mean(narration, "; the sets came back overwritten, and are filled anew each time");
}

static int ms_of(const struct timeval *timeout)
{
    return timeout != NULL ? (int)(timeout->tv_sec * 1000 + timeout->tv_usec / 1000) : -1;
}

/* Tries with no time on copies: select overwrites what it is given. */
static bool select_would_sleep(int count, const fd_set *in, const fd_set *out)
{
    fd_set copied_in, copied_out;
    struct timeval at_once = {0, 0};

    FD_ZERO(&copied_in);
    FD_ZERO(&copied_out);
    copied_in = in != NULL ? *in : copied_in;
    copied_out = out != NULL ? *out : copied_out;
    return plain_sys.select(count, &copied_in, &copied_out, NULL, &at_once) == 0;
}

static int explain_select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    struct narration narration;
    struct narration arguments;
    int ready, ms = ms_of(timeout);

    narration_begin(&arguments, "");
    call_set(&arguments, in, count);
    call_set(&arguments, out, count);
    if (ms != 0 && select_would_sleep(count, in, out))
        say_sleep("select", -1, ms);
    ready = plain_sys.select(count, in, out, except, timeout);
    narration_begin(&narration, "select");
    narration_call(&narration, "(%d%s", count, arguments.call);
    call_timeout(&narration, ms);
    if (ready > 0)
        mean_selected(&narration, in, out, count);
    else if (ready == 0)
        mean_timeout(&narration);
    narration_say(&narration, ready);
    return ready;
}

void explain_waits(struct sys *table)
{
    table->epoll_create1 = explain_epoll_create1;
    table->epoll_ctl = explain_epoll_ctl;
    table->epoll_wait = explain_epoll_wait;
    table->poll = explain_poll;
    table->select = explain_select;
}
