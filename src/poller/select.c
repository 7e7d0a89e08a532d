/* select: bit sets, copied in and out at each call, for descriptors below FD_SETSIZE only.
 *
 *     FD_SET(fd, &wanted)             update_select(), listen_select(): what is asked is kept between turns
 *     copy = wanted; select(top+1)    sleep_select(): the kernel overwrites what it is given, hence the copy
 *     for each fd: FD_ISSET           report_select(): it does not say which, so all up to the top are asked
 *
 * The limit is of the set, not of the number of clients: enter() refuses a descriptor it has no bit for. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include "poller/ready.h"
#include <errno.h>

enum { LOOK_EVERY = 1000 /* ms */, MILLISECOND = 1000000 /* ns */ };

/* Whom a descriptor is about: at most one of the three. */
struct owner {
    struct listener *listener;
    struct watch *watch;
    parley_conn *conn;
};

struct select_state {
    fd_set wanted_in, wanted_out;
    fd_set in, out; /* what select answered, */
    int ready;      /* and of how many */
    fd_set silent;  /* connections of which nothing is asked */
    unsigned silent_count;
    int64_t looked_at; /* ms: when those were looked at */
    int top;           /* highest descriptor in use, or -1 */
    struct owner owners[FD_SETSIZE];
};

static int open_select(struct loop *loop)
{
    struct select_state *state = sys.calloc(1, sizeof *state);
    loop->poller_state = state;
    if (!state)
        return fail(PARLEY_RESOURCE, "no memory for select");
    state->top = -1;
    return 0;
}

static void close_select(struct loop *loop)
{
    sys.free(loop->poller_state);
    loop->poller_state = NULL;
}

static bool has_owner(const struct owner *owner)
{
    return owner->conn || owner->watch || owner->listener;
}

/* False beyond FD_SETSIZE: FD_SET would write outside the set. */
static bool enter(struct select_state *state, int fd, struct owner owner)
{
    if (fd < 0 || fd >= FD_SETSIZE)
        return false;
    state->owners[fd] = owner;
    if (fd > state->top)
        state->top = fd;
    return true;
}

static void put(fd_set *set, int fd, bool is_in)
{
    if (is_in)
        FD_SET(fd, set);
    else
        FD_CLR(fd, set);
}

static void silence(struct select_state *state, int fd, bool is_silent)
{
    state->silent_count += is_silent;
    state->silent_count -= FD_ISSET(fd, &state->silent) != 0;
    put(&state->silent, fd, is_silent);
}

static void leave(struct select_state *state, int fd)
{
    FD_CLR(fd, &state->wanted_in);
    FD_CLR(fd, &state->wanted_out);
    silence(state, fd, false);
    state->owners[fd] = (struct owner){0};
    while (state->top >= 0 && !has_owner(&state->owners[state->top]))
        state->top--;
}

static bool want_input(struct select_state *state, int fd, bool wanted, struct owner owner)
{
    if (!wanted) {
        leave(state, fd);
        return false;
    }
    if (!enter(state, fd, owner))
        return false;
    FD_SET(fd, &state->wanted_in);
    return true;
}

static void listen_select(struct loop *loop, struct listener *listener)
{
    if (listener->wanted != (listener->polled != 0))
        listener->polled = want_input(loop->poller_state, listener->fd, listener->wanted,
                                      (struct owner){.listener = listener});
}

static void watch_select(struct loop *loop, struct watch *watch)
{
    if (watch->wanted != (watch->polled != 0))
        watch->polled =
            want_input(loop->poller_state, watch->fd, watch->wanted, (struct owner){.watch = watch});
}

static void update_select(struct loop *loop, parley_conn *conn)
{
    struct select_state *state = loop->poller_state;
    if (conn->dead) {
        if (conn->polled)
            leave(state, conn->fd);
        conn->polled = 0;
        return;
    }
    if (!conn->polled && !enter(state, conn->fd, (struct owner){.conn = conn})) {
        conn_failed(conn, "select", EMFILE);
        return;
    }
    conn->polled = 1;
    if (conn_has_output(conn) && !conn->blocked)
        ready_send(conn);
    bool in = conn_wants_input(conn), out = conn_awaits_room(conn);
    put(&state->wanted_in, conn->fd, in);
    put(&state->wanted_out, conn->fd, out);
    silence(state, conn->fd, !in && !out);
}

static int sleep_select(struct loop *loop, int64_t timeout)
{
    struct select_state *state = loop->poller_state;
    const int64_t patience = (int64_t)LOOK_EVERY * MILLISECOND;
    if (state->silent_count > 0 && (timeout < 0 || timeout > patience))
        timeout = patience;
    int64_t us = timeout / 1000 + (timeout % 1000 > 0);
    struct timeval time = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    state->in = state->wanted_in;
    state->out = state->wanted_out;
    state->ready = sys.select(state->top + 1, &state->in, &state->out, NULL, timeout < 0 ? NULL : &time);
    return state->ready < 0 || state->silent_count == 0 ? state->ready : state->ready + 1;
}

static void conn_event(struct loop *loop, parley_conn *conn, bool in, bool out)
{
    if (conn->dead)
        return;
    if (out && conn->blocked)
        ready_send(conn);
    if (in && conn_wants_input(conn))
        ready_receive(conn);
    loop_touch(loop, conn);
}

static void report_descriptor(struct loop *loop, int fd, bool in, bool out)
{
    struct select_state *state = loop->poller_state;
    struct owner owner = state->owners[fd];
    if (owner.conn)
        conn_event(loop, owner.conn, in, out);
    else if (owner.watch && in)
        owner.watch->readable(loop, owner.watch);
    else if (owner.listener && in)
        ready_accept(loop, owner.listener);
}

/* poll and epoll tell an error without being asked. select tells it only as something to read or room to
 * send, and who wants neither cannot ask for them, since they may be there all the time. */
static void look_at_silent(struct loop *loop)
{
    struct select_state *state = loop->poller_state;
    if (state->silent_count == 0 || loop->now - state->looked_at < LOOK_EVERY)
        return;
    state->looked_at = loop->now;
    for (int fd = 0; fd <= state->top; fd++)
        if (FD_ISSET(fd, &state->silent))
            ready_look(state->owners[fd].conn);
}

static void report_select(struct loop *loop, int count)
{
    struct select_state *state = loop->poller_state;
    look_at_silent(loop);
    count = state->ready;
    for (int fd = 0; fd <= state->top && count > 0; fd++) {
        bool in = FD_ISSET(fd, &state->in), out = FD_ISSET(fd, &state->out);
        if (!in && !out)
            continue;
        count -= in + out;
        report_descriptor(loop, fd, in, out);
    }
}

const struct poller poller_select = {.name = "select",
                                     .nonblocking = true,
                                     .descriptors = FD_SETSIZE,
                                     .open = open_select,
                                     .close = close_select,
                                     .listen = listen_select,
                                     .watch = watch_select,
                                     .update = update_select,
                                     .sleep = sleep_select,
                                     .report = report_select};
