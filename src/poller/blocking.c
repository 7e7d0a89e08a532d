/* The plain calls of the first page: one descriptor at a time, and the worker sleeps inside accept, recv or
 * send itself. Deadlines are SO_RCVTIMEO and SO_SNDTIMEO; a stop interrupts with a signal.
 *
 *     the page                        here
 *     fd = accept(listener, …)        sleep_accepting(), then loop_accepted() makes the connection
 *     n = recv(fd, buffer, …)         sleep_receiving(), then conn_received() calls the handler
 *     send(fd, answer, …)             update_blocking(), again and again until all is sent
 *     close(fd)                       the engine, once the last bytes have arrived: it lingers
 *
 * What the page cannot do, wait for two things at once, is wait_for_one(): several listeners, or the next
 * client while the one before takes its time to leave. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include "poller/ready.h"
#include <errno.h>
#include <sys/time.h>

enum outcome { NOTHING, ACCEPTED, ACCEPT_FAILED, RECEIVED, ENDED, RECEIVE_FAILED, BROKEN };

struct blocking_state {
    enum outcome outcome;
    struct listener *listener;
    parley_conn *conn;
    struct sockaddr_storage peer;
    int fd;
    ssize_t size;
    int error;
    unsigned turn;
    const parley_conn *told;               /* the connection for which the kernel was told */
    int64_t receive_timeout, send_timeout; /* these; 0: for ever, -1: not known any more */
};

static int open_blocking(struct loop *loop)
{
    loop->poller_state = sys.calloc(1, sizeof(struct blocking_state));
    return loop->poller_state ? 0 : fail(PARLEY_RESOURCE, "no memory for a blocking worker");
}

static void close_blocking(struct loop *loop)
{
    sys.free(loop->poller_state);
    loop->poller_state = NULL;
}

/* sleep() looks at listener->wanted itself. */
static void listen_blocking(struct loop *loop, struct listener *listener)
{
    (void)loop;
    listener->polled = listener->wanted;
}

static void set_timeout(const parley_conn *conn, int option, int64_t *told, int64_t timeout)
{
    if (*told == timeout)
        return;
    struct timeval time = {.tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000};
    if (sys.setsockopt(conn->fd, SOL_SOCKET, option, &time, sizeof time) == 0)
        *told = timeout;
}

/* ---- sending: all of it, now ---- */

/* How long a send may block: until the next timer, which may be this connection's own deadline. */
static int64_t send_patience(const struct loop *loop)
{
    int64_t wait = timers_wait(&loop->timers, sys.now());
    return wait < 0 ? 0 : wait == 0 ? 1 : wait;
}

static void update_blocking(struct loop *loop, parley_conn *conn)
{
    struct blocking_state *state = loop->poller_state;
    if (state->told != conn || !conn->polled) {
        state->told = conn;
        state->receive_timeout = state->send_timeout = conn->polled ? -1 : 0;
        conn->polled = 1; /* it has been here before */
    }
    while (conn_has_output(conn)) {
        conn_arm(conn);
        set_timeout(conn, SO_SNDTIMEO, &state->send_timeout, send_patience(loop));
        loop_rests(loop);
        ssize_t taken = conn_offer(conn, MSG_NOSIGNAL);
        loop->now = sys.now();
        loop_works(loop);
        if (taken >= 0) {
            conn_sent(conn, (size_t)taken);
        } else if (errno == EINTR || errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
            loop_touch(loop, conn); /* the timers, or a stop, have a word first */
            return;
        } else {
            conn_failed(conn, "send", errno);
        }
    }
}

/* ---- sleeping: inside the one call that waits ---- */

static int sleep_receiving(struct loop *loop, struct blocking_state *state, parley_conn *conn,
                           int64_t timeout)
{
    state->conn = conn;
    if (timeout != 0)
        set_timeout(conn, SO_RCVTIMEO, &state->receive_timeout, timeout < 0 ? 0 : timeout);
    state->size = sys.recv(conn->fd, loop->buffer, loop->buffer_size, timeout == 0 ? MSG_DONTWAIT : 0);
    state->error = errno;
    if (state->size > 0)
        state->outcome = RECEIVED;
    else if (state->size == 0)
        state->outcome = ENDED;
    else if (state->error != EAGAIN && state->error != EINTR)
        state->outcome = RECEIVE_FAILED;
    return state->outcome != NOTHING;
}

static int sleep_accepting(struct blocking_state *state, struct listener *listener)
{
    socklen_t length = sizeof state->peer;
    state->listener = listener;
    state->peer.ss_family = AF_UNSPEC;
    state->fd = sys.accept4(listener->fd, (struct sockaddr *)&state->peer, &length, SOCK_CLOEXEC);
    state->error = errno;
    if (state->fd >= 0)
        state->outcome = ACCEPTED;
    else if (state->error != EAGAIN && state->error != EINTR)
        state->outcome = ACCEPT_FAILED;
    return state->outcome != NOTHING;
}

/* What poll() found: a listener with a client, a lingering connection with its peer's last bytes, or that the
 * client that is served has gone. */
struct found {
    struct listener *listener;
    parley_conn *conn;
    short events;
};

enum { MOST_POLLED = 64 };

static nfds_t ask_listeners(struct loop *loop, struct pollfd *fds, struct found *found)
{
    struct blocking_state *state = loop->poller_state;
    nfds_t count = 0;
    state->turn++; /* no listener is always asked first */
    for (size_t i = 0; i < loop->listener_count && count < MOST_POLLED / 2; i++) {
        struct listener *listener = &loop->listeners[(i + state->turn) % loop->listener_count];
        if (!listener->wanted)
            continue;
        fds[count] = (struct pollfd){.fd = listener->fd, .events = POLLIN};
        found[count++] = (struct found){.listener = listener};
    }
    return count;
}

/* Of one whose reading has paused nothing is asked, and its end is told all the same. */
static nfds_t ask_connections(struct loop *loop, struct pollfd *fds, struct found *found, nfds_t count)
{
    uint32_t place = 0;
    for (parley_conn *conn; count < MOST_POLLED && (conn = slots_next(&loop->slots, &place));) {
        const bool wants_input = conn_wants_input(conn);
        if (!wants_input && (conn->lingering || conn->hung_up))
            continue;
        fds[count] = (struct pollfd){.fd = conn->fd, .events = wants_input ? POLLIN : 0};
        found[count++] = (struct found){.conn = conn};
    }
    return count;
}

/* Several may have something: listeners, and clients that have had their answer and take their time to leave.
 * The listeners' descriptors do not block where there are several, since another worker may be faster. What
 * poll() returns. */
static int wait_for_one(struct loop *loop, int64_t timeout, struct found *one)
{
    struct pollfd fds[MOST_POLLED];
    struct found found[MOST_POLLED];
    nfds_t count = ask_connections(loop, fds, found, ask_listeners(loop, fds, found));
    int ready = sys.poll(fds, count, timeout > INT32_MAX ? INT32_MAX : (int)timeout);
    for (nfds_t i = 0; i < count && ready > 0; i++)
        if (fds[i].revents) {
            *one = found[i];
            one->events = fds[i].revents;
            break;
        }
    return ready;
}

/* It is paused, so nobody would learn it by reading. A hang-up alone may have bytes before it. */
static int sleep_over(struct blocking_state *state, parley_conn *conn, short events)
{
    conn->hung_up = true;
    if (!(events & POLLERR))
        return 0;
    state->conn = conn;
    state->outcome = BROKEN;
    return 1;
}

/* The client that is being served. */
static parley_conn *served(const struct loop *loop)
{
    uint32_t place = 0;
    parley_conn *conn = slots_next(&loop->slots, &place);
    while (conn && conn->lingering)
        conn = slots_next(&loop->slots, &place);
    return conn;
}

/* With one listener, whose descriptor blocks. */
static bool is_alone(const struct loop *loop)
{
    return loop->listener_count == 1 && loop->listeners[0].wanted && !loop->listeners[0].shared;
}

static int sleep_blocking(struct loop *loop, int64_t time)
{
    int64_t timeout = ready_ms(time);
    struct blocking_state *state = loop->poller_state;
    parley_conn *conn = served(loop);
    state->outcome = NOTHING;
    if (conn && conn_wants_input(conn))
        return sleep_receiving(loop, state, conn, timeout);
    if (loop->total == 0 && is_alone(loop))
        return sleep_accepting(state, &loop->listeners[0]);
    struct found found = {.listener = NULL};
    int ready = wait_for_one(loop, timeout, &found); /* over none, poll() sleeps */
    if (ready <= 0)
        return ready;
    if (found.listener)
        return sleep_accepting(state, found.listener);
    if (!found.conn)
        return 0;
    if (conn_wants_input(found.conn))
        return sleep_receiving(loop, state, found.conn, 0);
    return sleep_over(state, found.conn, found.events);
}

static void report_blocking(struct loop *loop, int count)
{
    struct blocking_state *state = loop->poller_state;
    (void)count;
    switch (state->outcome) {
    case ACCEPTED: loop_accepted(loop, state->listener, state->fd, (struct sockaddr *)&state->peer); break;
    case ACCEPT_FAILED: loop_accept_failed(loop, state->listener, state->error); break;
    case RECEIVED: conn_received(state->conn, loop->buffer, (size_t)state->size); break;
    case ENDED: conn_ended(state->conn); break;
    case RECEIVE_FAILED: conn_failed(state->conn, "recv", state->error); break;
    case BROKEN: ready_error(state->conn); break;
    case NOTHING: break;
    }
}

const struct poller poller_blocking = {.name = "blocking",
                                       .capacity = 1,
                                       .deaf = true,
                                       .open = open_blocking,
                                       .close = close_blocking,
                                       .listen = listen_blocking,
                                       .update = update_blocking,
                                       .sleep = sleep_blocking,
                                       .report = report_blocking};
