/* epoll, edge-triggered: each connection is registered once, and remembers the edge until it is drained.
 *
 *     epoll_ctl(ADD, fd, key)         update_epoll(): the list stays in the kernel, so a turn costs no copy
 *     epoll_wait(events, timeout)     sleep_epoll(): only who has something is named
 *     for each event                  report_epoll(): the key says whom; receive_edge() reads all there is
 *
 * An edge is told once. Whoever stops reading before the end must remember that there is more (`readable`,
 * list_again()), or the connection is never heard of again. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include "poller/ready.h"
#include <errno.h>
#include <string.h>

enum {
    MOST_EVENTS = 512,
    READS = 4 /* receive buffers one connection may fill per turn: the others wait so long at most */
};

/* What an event is about: a connection by its key, or a listener or watch by its address. */
#define TAG_LISTENER (UINT64_C(1) << 62)
#define TAG_WATCH (UINT64_C(2) << 62)
#define TAGS (UINT64_C(3) << 62)

struct epoll_state {
    int fd;
    parley_conn **again; /* edges seen, more to read */
    uint32_t again_count, again_room;
    unsigned always_ready; /* watches */
    struct epoll_event events[MOST_EVENTS];
};

static int open_epoll(struct loop *loop)
{
    struct epoll_state *state = sys.malloc(sizeof *state);
    if (!state)
        return fail(PARLEY_RESOURCE, "no memory for epoll");
    state->again = NULL;
    state->again_count = state->again_room = state->always_ready = 0;
    state->fd = sys.epoll_create1(EPOLL_CLOEXEC);
    if (state->fd < 0) {
        int error = errno;
        sys.free(state);
        return fail_call("epoll_create1", NULL, error);
    }
    loop->poller_state = state;
    return 0;
}

static void close_epoll(struct loop *loop)
{
    struct epoll_state *state = loop->poller_state;
    sys.close(state->fd);
    sys.free(state->again);
    sys.free(state);
    loop->poller_state = NULL;
}

static void forget_epoll(struct loop *loop)
{
    const struct epoll_state *state = loop->poller_state;
    sys.close(state->fd);
}

static int control(struct loop *loop, int operation, int fd, uint32_t events, uint64_t data)
{
    const struct epoll_state *state = loop->poller_state;
    struct epoll_event event = {.events = events, .data.u64 = data};
    return sys.epoll_ctl(state->fd, operation, fd, &event);
}

/* ---- listeners ---- */

static void listen_epoll(struct loop *loop, struct listener *listener)
{
    uint32_t wake_one = listener->shared ? EPOLLEXCLUSIVE : 0;
    uint64_t tag = TAG_LISTENER | (uintptr_t)listener;
    if (listener->wanted == (listener->polled != 0))
        return;
    if (!listener->wanted) {
        control(loop, EPOLL_CTL_DEL, listener->fd, 0, 0);
        listener->polled = 0;
    } else if (control(loop, EPOLL_CTL_ADD, listener->fd, EPOLLIN | wake_one, tag) == 0) {
        listener->polled = 1;
    } else {
        loop_accept_failed(loop, listener, errno); /* tried again after a while */
    }
}

/* An exclusive waiter keeps its place in the kernel's queue, so the first one would get nearly every client:
 * having taken one, go to the end of the queue. */
static void to_the_end_of_the_queue(struct loop *loop, struct listener *listener)
{
    bool wanted = listener->wanted;
    listener->wanted = false;
    listen_epoll(loop, listener);
    listener->wanted = wanted;
    listen_epoll(loop, listener);
}

static void listener_ready(struct loop *loop, struct listener *listener)
{
    ready_accept(loop, listener);
    if (listener->shared && listener->wanted)
        to_the_end_of_the_queue(loop, listener);
}

/* ---- watches ---- */

/* Regular files cannot be polled: they are always readable. */
enum { UNPOLLED, POLLED, ALWAYS_READY };

static void watch_epoll(struct loop *loop, struct watch *watch)
{
    struct epoll_state *state = loop->poller_state;
    if (watch->wanted && watch->polled == UNPOLLED) {
        if (control(loop, EPOLL_CTL_ADD, watch->fd, EPOLLIN, TAG_WATCH | (uintptr_t)watch) == 0)
            watch->polled = POLLED;
        else if (errno == EPERM)
            watch->polled = ALWAYS_READY;
        state->always_ready += watch->polled == ALWAYS_READY;
    } else if (!watch->wanted && watch->polled != UNPOLLED) {
        if (watch->polled == POLLED)
            control(loop, EPOLL_CTL_DEL, watch->fd, 0, 0);
        state->always_ready -= watch->polled == ALWAYS_READY;
        watch->polled = UNPOLLED;
    }
}

static void report_always_ready(struct loop *loop)
{
    for (struct watch *watch = loop->watches; watch; watch = watch->next)
        if (watch->polled == ALWAYS_READY)
            watch->readable(loop, watch);
}

/* ---- connections ---- */

static bool make_room(struct epoll_state *state)
{
    uint32_t room = state->again_room ? state->again_room * 2 : 64;
    if (state->again_count < state->again_room)
        return true;
    parley_conn **again = sys.realloc(state->again, room * sizeof *again);
    if (!again)
        return false;
    state->again = again;
    state->again_room = room;
    return true;
}

/* Listed, a connection is held, so that it is not freed under us. Without memory for the list it stays
 * dirty, and the next settle tries again. */
static void list_again(struct loop *loop, parley_conn *conn)
{
    struct epoll_state *state = loop->poller_state;
    if (conn->is_again)
        return;
    if (!make_room(state)) {
        loop_touch(loop, conn);
        return;
    }
    conn->is_again = true;
    conn->held++;
    state->again[state->again_count++] = conn;
}

static void update_epoll(struct loop *loop, parley_conn *conn)
{
    if (conn->dead)
        return; /* close(2) takes it out; a stale event no longer finds it by its key */
    if (!conn->polled) {
        uint32_t events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        if (control(loop, EPOLL_CTL_ADD, conn->fd, events, conn_key(conn)) < 0) {
            conn_failed(conn, "epoll_ctl", errno);
            return;
        }
        conn->polled = 1;
    }
    if (conn_has_output(conn) && !conn->blocked)
        ready_send(conn);
    if (conn->readable && conn_wants_input(conn))
        list_again(loop, conn);
}

/* Whether to receive again. A short read says that all is read, but not once an urgent byte may have cut it.
 */
static inline bool receive_one(parley_conn *conn)
{
    uint64_t before = conn->received;
    return ready_receive(conn) ||
           (conn->unusual && (conn->hung_up || (conn->urgent && conn->received != before)));
}

static void receive_edge(struct loop *loop, parley_conn *conn)
{
    for (int left = READS; conn_wants_input(conn); left--) {
        if (left == 0) {
            list_again(loop, conn);
            return;
        }
        if (!receive_one(conn)) {
            conn->readable = false; /* a short read: the next byte makes a new edge */
            return;
        }
    }
}

/* The end, an error, urgent bytes, room to send again. */
static void rare_event(parley_conn *conn, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->hung_up = true; /* the end is behind the data: read until it shows */
    if (events & EPOLLPRI)
        conn->urgent = true;
    if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->readable = true;
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && conn->blocked)
        ready_send(conn);
}

static void conn_event(struct loop *loop, parley_conn *conn, uint32_t events)
{
    if (events & ~(uint32_t)(EPOLLIN | EPOLLOUT) || conn->unusual)
        rare_event(conn, events);
    if (events & EPOLLIN)
        conn->readable = true;
    if (conn->readable)
        receive_edge(loop, conn);
    if (events & EPOLLERR && !conn_wants_input(conn))
        ready_error(conn);
}

/* ---- the turn ---- */

/* epoll_pwait2(2) is of Linux 5.11: before, a millisecond is the finest there is. */
static int wait_finely(struct epoll_state *state, int64_t timeout)
{
    struct timespec time = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    int count = sys.epoll_pwait2(state->fd, state->events, MOST_EVENTS, &time, NULL);
    if (count >= 0 || errno != ENOSYS)
        return count;
    return sys.epoll_wait(state->fd, state->events, MOST_EVENTS, ready_ms(timeout));
}

static int sleep_epoll(struct loop *loop, int64_t timeout)
{
    struct epoll_state *state = loop->poller_state;
    bool more = state->again_count > 0 || state->always_ready > 0;
    int count = more || ready_is_whole_ms(timeout)
                    ? sys.epoll_wait(state->fd, state->events, MOST_EVENTS, more ? 0 : ready_ms(timeout))
                    : wait_finely(state, timeout);
    if (count < 0)
        return more ? more : -1;
    return count + more;
}

static void tagged_event(struct loop *loop, uint64_t key)
{
    void *address = (void *)(uintptr_t)(key & ~TAGS); /* NOLINT: an address we put there */
    struct watch *watch = address;
    if ((key & TAGS) == TAG_LISTENER)
        listener_ready(loop, address);
    else if (watch->wanted) /* another one may have paused it since */
        watch->readable(loop, watch);
}

static void report_event(struct loop *loop, const struct epoll_event *event)
{
    uint64_t key = event->data.u64;
    parley_conn *conn = key & TAGS ? NULL : loop_find(loop, key);
    if (key & TAGS)
        tagged_event(loop, key);
    else if (conn && !conn->dead)
        conn_event(loop, conn, event->events);
}

/* Those listed before this turn; one that is listed again moves to the front for the next. */
static void report_again(struct loop *loop, uint32_t count)
{
    struct epoll_state *state = loop->poller_state;
    for (uint32_t i = 0; i < count; i++) {
        parley_conn *conn = state->again[i];
        conn->is_again = false;
        conn->held--;
        if (conn->dead)
            loop_touch(loop, conn);
        else if (conn->readable)
            receive_edge(loop, conn);
    }
    state->again_count -= count;
    memmove(state->again, state->again + count, state->again_count * sizeof *state->again);
}

static void report_epoll(struct loop *loop, int count)
{
    struct epoll_state *state = loop->poller_state;
    uint32_t again = state->again_count;
    bool always = state->always_ready > 0;
    count -= again > 0 || always;
    for (int i = 0; i < count; i++)
        report_event(loop, &state->events[i]);
    if (again > 0)
        report_again(loop, again);
    if (always)
        report_always_ready(loop);
}

const struct poller poller_epoll = {.name = "epoll",
                                    .nonblocking = true,
                                    .open = open_epoll,
                                    .close = close_epoll,
                                    .listen = listen_epoll,
                                    .watch = watch_epoll,
                                    .update = update_epoll,
                                    .sleep = sleep_epoll,
                                    .report = report_epoll,
                                    .forget = forget_epoll};
