/* epoll_wait, poll and select over simulated sockets, so that these pollers run here as they are. */
#include "sim.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool listens, watches;
    struct epoll_event listener, watch;
} epoll;

bool mailbox_has_letters(void)
{
    return the_loop()->mailbox.head != NULL;
}

static uint32_t events_of(const struct link *link)
{
    bool over = link->reset || link->error;
    uint32_t events = socket_has_input(link) ? EPOLLIN : 0;
    if (socket_space(link) > 0 || over)
        events |= EPOLLOUT;
    if (link->fin || over)
        events |= EPOLLRDHUP;
    if (over || (link->fin && link->shut))
        events |= EPOLLHUP;
    if (link->error)
        events |= EPOLLERR;
    return events;
}

/* ---- epoll ---- */

static int sim_epoll_create1(int flags)
{
    (void)flags;
    memset(&epoll, 0, sizeof epoll);
    return dup(world.listener_fd);
}

static int control(bool *member, struct epoll_event *kept, int operation, const struct epoll_event *event)
{
    bool adds = operation == EPOLL_CTL_ADD;
    MUST(*member != adds, NULL, "epoll_ctl: %s twice", adds ? "added" : "removed");
    *member = adds;
    if (adds)
        *kept = *event;
    return 0;
}

static int sim_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    (void)set;
    struct link *link = link_of_fd(fd);
    if (fd == world.listener_fd)
        return control(&epoll.listens, &epoll.listener, operation, event);
    if (!link)
        return control(&epoll.watches, &epoll.watch, operation, event);
    MUST(operation == EPOLL_CTL_ADD && !link->registered, link, "epoll_ctl on what is registered");
    link->registered = event->events;
    link->tag = event->data.u64;
    link->edge = true;
    return 0;
}

static bool edge_is_ready(const struct link *link)
{
    uint32_t always = EPOLLERR | EPOLLHUP;
    return link->stage == OPEN && link->edge && link->registered &&
           (events_of(link) & (link->registered | always));
}

/* Room is told only to who was refused before. */
static void look_for_room(struct link *link)
{
    if (link->no_space && socket_space(link) > 0) {
        link->no_space = false;
        link->edge = true;
    }
}

static bool epoll_is_ready(void)
{
    for (unsigned i = 0; i < world.plan.links; i++) {
        look_for_room(&world.links[i]);
        if (edge_is_ready(&world.links[i]))
            return true;
    }
    return (epoll.listens && first_in_backlog()) || (epoll.watches && mailbox_has_letters());
}

static int sim_epoll_wait(int set, struct epoll_event *events, int most, int timeout)
{
    int count = 0;
    (void)set;
    world_sleep(timeout, epoll_is_ready);
    if (epoll.listens && first_in_backlog())
        events[count++] = epoll.listener;
    unsigned first = below(world.plan.links);
    for (unsigned i = 0; i < world.plan.links && count < most - 1; i++) {
        struct link *link = &world.links[(first + i) % world.plan.links];
        look_for_room(link);
        if (!edge_is_ready(link))
            continue;
        link->edge = false;
        events[count].events = events_of(link) & (link->registered | EPOLLERR | EPOLLHUP);
        events[count++].data.u64 = link->tag;
    }
    if (epoll.watches && mailbox_has_letters())
        events[count++] = epoll.watch;
    return count;
}

/* ---- poll and select: the same set, written down in two ways ---- */

static struct pollfd *asked;
static nfds_t asked_count;

static short ready_events(const struct pollfd *entry)
{
    const struct link *link = link_of_fd(entry->fd);
    if (entry->fd == world.listener_fd)
        return first_in_backlog() ? entry->events & POLLIN : 0;
    if (!link)
        return mailbox_has_letters() ? entry->events & POLLIN : 0;
    return (short)(events_of(link) & ((uint32_t)entry->events | POLLERR | POLLHUP));
}

static bool poll_is_ready(void)
{
    for (nfds_t i = 0; i < asked_count; i++)
        if (asked[i].fd >= 0 && ready_events(&asked[i]))
            return true;
    return false;
}

static int sim_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready = 0;
    asked = fds;
    asked_count = count;
    world_sleep(timeout, poll_is_ready);
    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = fds[i].fd >= 0 ? ready_events(&fds[i]) : 0;
        ready += fds[i].revents != 0;
    }
    return ready;
}

static nfds_t entries_of(struct pollfd *fds, int count, const fd_set *in, const fd_set *out)
{
    nfds_t entries = 0;
    for (int fd = 0; fd < count; fd++) {
        int events = (in && FD_ISSET(fd, in) ? POLLIN : 0) | (out && FD_ISSET(fd, out) ? POLLOUT : 0);
        if (events)
            fds[entries++] = (struct pollfd){.fd = fd, .events = (short)events};
    }
    return entries;
}

static int sim_select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    static struct pollfd fds[FD_SETSIZE];
    nfds_t entries = entries_of(fds, count, in, out);
    int64_t wait = timeout ? timeout->tv_sec * 1000 + timeout->tv_usec / 1000 : -1;
    int ready = 0;
    sim_poll(fds, entries, wait > INT32_MAX ? INT32_MAX : (int)wait);
    for (nfds_t i = 0; i < entries; i++) {
        if (!(fds[i].revents & (POLLIN | POLLHUP | POLLERR)))
            FD_CLR(fds[i].fd, in);
        if (!(fds[i].revents & (POLLOUT | POLLERR)))
            FD_CLR(fds[i].fd, out);
        ready += FD_ISSET(fds[i].fd, in) + FD_ISSET(fds[i].fd, out);
    }
    if (except)
        FD_ZERO(except);
    return ready;
}

void readiness_install(void)
{
    sys.epoll_create1 = sim_epoll_create1;
    sys.epoll_ctl = sim_epoll_ctl;
    sys.epoll_wait = sim_epoll_wait;
    sys.poll = sim_poll;
    sys.select = sim_select;
}
