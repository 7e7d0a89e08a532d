/* poll: one array of descriptors, kept from turn to turn; the kernel looks through all of it each time.
 *
 *     fds[n++] = {fd, POLLIN}         update_poll(): an entry for each connection, without a limit
 *     poll(fds, n, timeout)           sleep_poll(): what is asked and what is answered stand apart
 *     for each: if (revents)          report_poll(): as many as poll said, then no further */
#include "base/error.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include "poller/ready.h"
#include <errno.h>

/* Whom the entry of the same index in `fds` is about: one of the three. */
struct owner {
    struct listener *listener;
    struct watch *watch;
    parley_conn *conn;
};

struct poll_state {
    struct pollfd *fds;
    struct owner *owners;
    unsigned count, room;
};

static int grow(struct poll_state *state)
{
    unsigned room = state->room ? state->room * 2 : 64;
    struct pollfd *fds = sys.realloc(state->fds, room * sizeof *fds);
    if (fds)
        state->fds = fds;
    struct owner *owners = fds ? sys.realloc(state->owners, room * sizeof *owners) : NULL;
    if (!owners)
        return -1;
    state->owners = owners;
    state->room = room;
    return 0;
}

static int open_poll(struct loop *loop)
{
    struct poll_state *state = sys.calloc(1, sizeof *state);
    loop->poller_state = state;
    return state ? 0 : fail(PARLEY_RESOURCE, "no memory for poll");
}

static void close_poll(struct loop *loop)
{
    struct poll_state *state = loop->poller_state;
    sys.free(state->fds);
    sys.free(state->owners);
    sys.free(state);
    loop->poller_state = NULL;
}

/* `*place` is the owner's note of its entry: index + 1, 0 for none. */
static int enter(struct poll_state *state, unsigned *place, int fd, struct owner owner)
{
    if (state->count == state->room && grow(state) < 0)
        return -1;
    state->fds[state->count] = (struct pollfd){.fd = fd};
    state->owners[state->count] = owner;
    *place = ++state->count;
    return 0;
}

static unsigned *note_of(const struct owner *owner)
{
    return owner->conn    ? &owner->conn->polled
           : owner->watch ? &owner->watch->polled
                          : &owner->listener->polled;
}

/* The last entry takes the place of the one that leaves. */
static void leave(struct poll_state *state, unsigned *place)
{
    unsigned index = *place - 1, last = --state->count;
    state->fds[index] = state->fds[last];
    state->owners[index] = state->owners[last];
    *note_of(&state->owners[index]) = index + 1;
    *place = 0;
}

static void want_input(struct poll_state *state, unsigned *place, int fd, bool wanted, struct owner owner)
{
    if (wanted && !*place && enter(state, place, fd, owner) < 0)
        return;
    if (wanted)
        state->fds[*place - 1].events = POLLIN;
    else if (*place)
        leave(state, place);
}

static void listen_poll(struct loop *loop, struct listener *listener)
{
    want_input(loop->poller_state, &listener->polled, listener->fd, listener->wanted,
               (struct owner){.listener = listener});
    if (listener->wanted && !listener->polled)
        loop_accept_failed(loop, listener, ENOMEM);
}

static void watch_poll(struct loop *loop, struct watch *watch)
{
    want_input(loop->poller_state, &watch->polled, watch->fd, watch->wanted, (struct owner){.watch = watch});
}

static void update_poll(struct loop *loop, parley_conn *conn)
{
    struct poll_state *state = loop->poller_state;
    if (conn->dead) {
        if (conn->polled)
            leave(state, &conn->polled);
        return;
    }
    if (!conn->polled && enter(state, &conn->polled, conn->fd, (struct owner){.conn = conn}) < 0) {
        conn_failed(conn, "poll", ENOMEM);
        return;
    }
    if (conn_has_output(conn) && !conn->blocked)
        ready_send(conn);
    struct pollfd *entry = &state->fds[conn->polled - 1];
    entry->events =
        (short)((conn_wants_input(conn) ? POLLIN | POLLRDHUP : 0) | (conn_awaits_room(conn) ? POLLOUT : 0));
    /* Asked for nothing, poll still says HUP, over and over: a negative descriptor is passed over. */
    entry->fd = entry->events || !conn->hung_up ? conn->fd : -conn->fd - 1;
}

static int sleep_poll(struct loop *loop, int64_t timeout)
{
    struct poll_state *state = loop->poller_state;
    struct timespec time = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    if (ready_is_whole_ms(timeout))
        return sys.poll(state->fds, state->count, ready_ms(timeout));
    return ppoll(state->fds, state->count, &time, NULL); /* paced: neither simulated nor explained */
}

static void conn_event(struct loop *loop, parley_conn *conn, short events)
{
    if (conn->dead)
        return;
    if (events & (POLLOUT | POLLERR | POLLHUP) && conn->blocked)
        ready_send(conn);
    if (events & (POLLIN | POLLRDHUP | POLLERR | POLLHUP) && conn_wants_input(conn))
        ready_receive(conn);
    else if (events & POLLERR)
        ready_error(conn);
    conn->hung_up = conn->hung_up || events & POLLHUP;
    loop_touch(loop, conn);
}

static void report_poll(struct loop *loop, int count)
{
    struct poll_state *state = loop->poller_state;
    /* A listener or watch may be taken out while it is reported, so entries can change places: one that is
     * passed over shows again next time. */
    for (unsigned i = 0; i < state->count && count > 0; i++) {
        short events = state->fds[i].revents;
        struct owner owner = state->owners[i];
        if (!events)
            continue;
        state->fds[i].revents = 0;
        count--;
        if (owner.conn)
            conn_event(loop, owner.conn, events);
        else if (owner.watch)
            owner.watch->readable(loop, owner.watch);
        else
            ready_accept(loop, owner.listener);
    }
}

const struct poller poller_poll = {.name = "poll",
                                   .nonblocking = true,
                                   .open = open_poll,
                                   .close = close_poll,
                                   .listen = listen_poll,
                                   .watch = watch_poll,
                                   .update = update_poll,
                                   .sleep = sleep_poll,
                                   .report = report_poll};
