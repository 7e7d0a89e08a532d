/* Accepting: which listeners a loop takes clients from, and what happens when accept fails. */
#include "engine/accepting.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "limit/admission.h"
#include "limit/crowd.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ms */
enum { FIRST_BACK_OFF = 10, MOST_BACK_OFF = 1000 };

/* Given up when accept says EMFILE, so that the client at the head of the queue can be told by a close. A
 * copy of what is open anyway: a server that gave up its privileges may find no file to open. */
static int open_reserve(const struct loop *loop)
{
    return fcntl(loop->server->wake, F_DUPFD_CLOEXEC, 0);
}

static void listener_open(struct loop *loop, struct listener *listener, const struct bound *bound)
{
    unsigned index = loop->worker->index;
    bool own = bound->copies != NULL;
    listener->fd = own && index > 0 ? bound->copies[index - 1] : bound->fd;
    listener->shared = !own && loop->server->worker_total > 1;
    listener->door = bound->door;
    listener->again.kind = TIMER_LISTENER;
    memcpy(listener->address, bound->text, sizeof listener->address);
}

/* With "reuseport" unix sockets are shared all the same. */
static bool shares_some(const struct loop *loop)
{
    size_t i = 0;
    while (i < loop->listener_count && !loop->listeners[i].shared)
        i++;
    return i < loop->listener_count;
}

int accepting_open(struct loop *loop)
{
    struct parley_server *server = loop->server;
    if (server->bound_count == 0)
        return 0;
    loop->listeners = sys.calloc(server->bound_count, sizeof *loop->listeners);
    if (!loop->listeners)
        return fail(PARLEY_RESOURCE, "no memory for the listeners");
    for (size_t i = 0; i < server->bound_count; i++) {
        listener_open(loop, &loop->listeners[i], &server->bounds[i]);
        if (loop->poller->descriptors > 0 && loop->listeners[i].fd >= loop->poller->descriptors)
            return fail(PARLEY_RESOURCE, "%s: descriptor %d is beyond what %s can watch (below %d)",
                        server->bounds[i].text, loop->listeners[i].fd, loop->poller->name,
                        loop->poller->descriptors);
        /* A blocking accept can wait for one listener only, and for nothing else: several are polled first,
         * and one that another worker may be faster at, while the last bytes of a client are awaited. */
        bool blocking = !loop->poller->nonblocking &&
                        (!loop->poller->deaf || (server->bound_count == 1 && !loop->listeners[i].shared));
        if (socket_set_blocking(loop->listeners[i].fd, blocking) < 0)
            return fail_call("fcntl", server->bounds[i].text, errno);
    }
    loop->listener_count = server->bound_count;
    if (shares_some(loop) && sharing_open(loop) < 0)
        return fail(PARLEY_RESOURCE, "no memory for what the workers share");
    loop->reserve = open_reserve(loop);
    return 0;
}

static bool is_released(const struct loop *loop)
{
    for (size_t i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].wanted || loop->listeners[i].polled)
            return false;
    return true;
}

static void let_go(struct loop *loop)
{
    loop->listener_count = 0;
    sharing_close(loop);
    sys.free(loop->listeners);
    loop->listeners = NULL;
    loop->holds_listeners = false;
    if (atomic_fetch_sub(&loop->server->accepting, 1) == 1)
        server_close_listeners(loop->server);
}

void accepting_close(struct loop *loop)
{
    if (!loop->holds_listeners)
        return;
    for (size_t i = 0; i < loop->listener_count; i++) {
        loop->listeners[i].wanted = false;
        timer_cancel(&loop->timers, &loop->listeners[i].again);
        loop->poller->listen(loop, &loop->listeners[i]);
    }
    let_go(loop);
}

void accepting_update(struct loop *loop)
{
    loop->accepts_on = !loop->bounded && loop->limit == 0 && !loop->draining && !loop->failed;
    for (size_t i = 0; i < loop->listener_count; i++) {
        struct listener *listener = &loop->listeners[i];
        bool waits = listener->way ? sharing_gives_way(loop, listener) : listener->again.place != 0;
        bool wanted = crowd_has_room(loop, listener) && !loop->draining && !loop->failed && !waits;
        loop->accepts_on = loop->accepts_on && wanted;
        if (wanted == listener->wanted)
            continue;
        listener->wanted = wanted;
        loop->poller->listen(loop, listener);
    }
    /* A stop closes the listeners at once: who comes now is refused by the kernel, and need not wait for us.
     */
    if (loop->draining && loop->holds_listeners && is_released(loop))
        let_go(loop);
}

void accepting_hurry(struct loop *loop)
{
    for (size_t i = 0; i < loop->listener_count; i++)
        if (!loop->listeners[i].way) /* that one waits for another worker, not for a descriptor */
            timer_cancel(&loop->timers, &loop->listeners[i].again);
}

/* ---- a client came ---- */

static void refuse(struct loop *loop, const struct sockaddr *peer, int fd, const char *why)
{
    char text[ADDRESS_TEXT];
    sys.close(fd);
    log_line(&loop->log, LOG_REFUSED, address_text(peer, address_length(peer), text), "turned away: %s", why);
}

static void back_off(struct loop *loop, struct listener *listener);

/* No process or thread to be had: this client is let go, and the next ones wait a while. */
static void hand_over(struct loop *loop, struct listener *listener, int fd, const struct sockaddr *peer)
{
    const struct placement *placement = loop->server->options.model.placement;
    const struct visitor visitor = {fd, peer, listener->door};
    if (placement->hand_over(loop->server, &visitor) == 0) {
        listener->refusals = 0;
        return;
    }
    const char *call = placement->processes ? "fork" : "pthread_create";
    log_line(&loop->log, LOG_FAULT, listener->address, "%s: %s: a client is turned away", call,
             reason_of(call, errno));
    sys.close(fd);
    back_off(loop, listener);
}

/* The reserve was given up to accept this client: if there still is none to spare, it is told by a close,
 * which is more than an accept that never comes. */
static bool is_short_of_descriptors(struct loop *loop, struct listener *listener, int fd)
{
    if (loop->reserve >= 0 || (loop->reserve = open_reserve(loop)) >= 0)
        return false;
    sys.close(fd);
    loop->reserve = open_reserve(loop);
    back_off(loop, listener);
    return true;
}

void loop_accepted(struct loop *loop, struct listener *listener, int fd, const struct sockaddr *peer)
{
    int most = loop->poller->descriptors;
    if (loop->draining) {
        sys.close(fd);
    } else if (is_short_of_descriptors(loop, listener, fd)) {
        return;
    } else if (most > 0 && fd >= most) {
        refuse(loop, peer, fd, "its descriptor is beyond what select can watch (FD_SETSIZE, 1024)");
    } else if (admission_at_accept(loop, listener->door, fd, peer) < 0) {
        refuse(loop, peer, fd, parley_error());
    } else if (loop->hands_over) {
        hand_over(loop, listener, fd, peer);
    } else {
        listener->refusals = 0;
        loop_admit(loop, fd, peer, listener->door);
        sharing_took(loop, listener);
    }
    accepting_update(loop); /* the last place may be taken: not one client more in this turn */
}

/* ---- accept failed ---- */

static void back_off(struct loop *loop, struct listener *listener)
{
    if (listener->again.place)
        return; /* several accepts were under way and failed together */
    int64_t delay = FIRST_BACK_OFF;
    for (unsigned i = 0; i < listener->refusals && delay < MOST_BACK_OFF; i++)
        delay *= 2;
    listener->refusals++;
    timer_arm(&loop->timers, &listener->again, loop->now + (delay < MOST_BACK_OFF ? delay : MOST_BACK_OFF));
    accepting_update(loop);
}

static bool give_up_reserve(struct loop *loop)
{
    if (loop->reserve < 0)
        return false;
    sys.close(loop->reserve);
    loop->reserve = -1;
    return true;
}

void loop_accept_failed(struct loop *loop, struct listener *listener, int error)
{
    switch (error) {
    case ECONNABORTED: /* this one client gave up: the next may be there already */
    case EPROTO:
    case ENETDOWN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOPROTOOPT:
    case ENONET:
    case EOPNOTSUPP:
    case ETIMEDOUT: return;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
        loop->failed = true;
        loop->accepts_on = false;
        server_failed(loop->server, fail_call("accept", listener->address, error));
        log_line(&loop->log, LOG_FAULT, listener->address, "%s", parley_error());
        return;
    default:
        log_line(&loop->log, LOG_ACCEPT, listener->address, "accept failed: %s", reason_of("accept", error));
        if ((error == EMFILE || error == ENFILE) && !listener->again.place && give_up_reserve(loop))
            return; /* the next accept has a descriptor */
        back_off(loop, listener);
    }
}
