/* The plain calls of the first page: one descriptor at a time, and the worker sleeps inside accept, recv or
 * send itself. Deadlines are SO_RCVTIMEO and SO_SNDTIMEO; a stop interrupts with a signal. */
#include "engine/error.h"
#include "engine/sys.h"
#include "poller/poller.h"
#include "engine/loop.h"
#include <errno.h>
#include <sys/time.h>

enum outcome { NOTHING, ACCEPTED, ACCEPT_FAILED, RECEIVED, ENDED, RECEIVE_FAILED };

struct blocking_state {
    enum outcome outcome;
    struct listener *listener;
    parley_conn *conn;
    struct sockaddr_storage peer;
    int fd;
    ssize_t size;
    int error;
    int64_t receive_timeout, send_timeout; /* what the kernel was told for this connection; 0: for ever */
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
    if (!conn->polled) { /* a new connection: nothing has been told yet */
        state->receive_timeout = state->send_timeout = 0;
        conn->polled = 1;
    }
    while (conn_has_output(conn)) {
        conn_arm(conn);
        set_timeout(conn, SO_SNDTIMEO, &state->send_timeout, send_patience(loop));
        ssize_t taken = conn_offer(conn, MSG_NOSIGNAL);
        loop->now = sys.now();
        if (taken >= 0) {
            conn_sent(conn, (size_t)taken);
        } else if (errno == EINTR || errno == EAGAIN || errno == ENOBUFS) {
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

/* Waits for whichever of several listeners has a client; their descriptors do not block (another worker may
 * be faster). */
static struct listener *wait_for_one(struct loop *loop, int64_t timeout)
{
    struct pollfd fds[64];
    nfds_t count = loop->listener_count < 64 ? loop->listener_count : 64;
    for (nfds_t i = 0; i < count; i++) {
        bool wanted = loop->listeners[i].wanted;
        fds[i] = (struct pollfd){.fd = wanted ? loop->listeners[i].fd : -1, .events = POLLIN};
    }
    if (sys.poll(fds, count, timeout > INT32_MAX ? INT32_MAX : (int)timeout) <= 0)
        return NULL;
    for (nfds_t i = 0; i < count; i++)
        if (fds[i].revents)
            return &loop->listeners[i];
    return NULL;
}

static int sleep_blocking(struct loop *loop, int64_t timeout)
{
    struct blocking_state *state = loop->poller_state;
    uint32_t first = 0;
    parley_conn *conn = slots_next(&loop->slots, &first);
    state->outcome = NOTHING;
    if (conn && conn_wants_input(conn))
        return sleep_receiving(loop, state, conn, timeout);
    if (!conn && loop->listener_count == 1 && loop->listeners[0].wanted)
        return sleep_accepting(state, &loop->listeners[0]);
    /* Several listeners, or nothing to wait for but time: `poll` over none sleeps. */
    struct listener *listener = wait_for_one(loop, timeout);
    return listener && !conn ? sleep_accepting(state, listener) : 0;
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
