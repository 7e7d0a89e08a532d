/* A connection's beginning and end: made when its descriptor is adopted, freed in one place. */
#include "base/sys.h"
#include "engine/accepting.h"
#include "engine/beside.h"
#include "engine/cover.h"
#include "engine/secure.h"
#include "engine/speaking.h"
#include "limit/crowd.h"
#include <stdalign.h>
#include <string.h>

static size_t aligned(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

struct conn_shape conn_shape_of(const struct parley_server *server)
{
    const parley_handler *handler = server->handler;
    bool covered = server_covers(server);
    bool has_extra = handler->timed || covered || server->options.life > 0;
    size_t end = sizeof(parley_conn) + (has_extra ? sizeof(struct conn_extra) : 0);
    size_t cover = aligned(end, alignof(max_align_t));
    size_t state = cover + (covered ? sizeof(struct cover) : 0);
    bool has_more = covered || handler->state_size > 0;
    return (struct conn_shape){
        .has_extra = has_extra,
        .cover = cover,
        .state = state,
        .size = has_more ? aligned(state + handler->state_size, alignof(max_align_t)) : end,
    };
}

static uint32_t timers_of_conn(const parley_handler *handler)
{
    return handler->timed ? 2 : 1;
}

static parley_conn *find_room(struct loop *loop)
{
    uint32_t timers = timers_of_conn(loop->server->handler);
    if (dirty_reserve(&loop->dirty, loop->total + 1) < 0 || timers_reserve(&loop->timers, timers) < 0)
        return NULL;
    parley_conn *conn = slots_take(&loop->slots);
    if (!conn)
        timers_release(&loop->timers, timers);
    return conn;
}

static void leave_room(struct loop *loop, parley_conn *conn)
{
    timers_release(&loop->timers, timers_of_conn(loop->server->handler));
    slots_give_back(&loop->slots, &conn->slot);
}

static parley_conn *conn_new(struct loop *loop, int fd, const struct sockaddr *peer)
{
    parley_conn *conn = find_room(loop);
    if (!conn)
        return NULL;
    if (conn_set_peer(conn, peer) < 0) {
        leave_room(loop, conn);
        return NULL;
    }
    conn->is_unix = conn->peer_kind == PEER_UNIX;
    conn->loop = loop;
    conn->fd = fd;
    conn->active_at = loop->now;
    conn->deadline.kind = TIMER_DEADLINE;
    conn->covered = server_covers(loop->server);
    if (conn->covered)
        conn_cover(conn)->door = &loop->server->front;
    if (loop->server->handler->timed)
        conn_extra(conn)->alarm.kind = TIMER_ALARM;
    return conn;
}

void conn_open(parley_conn *conn)
{
    struct loop *loop = conn->loop;
    conn->opened = true;
    worker_log_opened(loop, conn);
    if (conn->bridged)
        loop_touch(loop, conn); /* the other was not read before this one was let in */
    if (conn_handler(conn)->opened)
        conn_handler(conn)->opened(conn);
}

void conn_established(parley_conn *conn)
{
    struct loop *loop = conn->loop;
    conn->active_at = loop->now;
    if (loop->shape.has_extra)
        conn_extra(conn)->established_at = loop->now;
    loop_touch(loop, conn);
    if (conn->dialled && !conn->guest) /* a guest has spoken for whom it is beside */
        speak_for(conn, NULL);
    if (conn->covered)
        cover_begin(conn);
    else
        conn_open(conn);
}

parley_conn *conn_make(struct loop *loop, int fd, const struct sockaddr *peer, enum conn_origin origin)
{
    parley_conn *conn = conn_new(loop, fd, peer);
    if (!conn) {
        log_line(&loop->log, LOG_FAULT, NULL, "no memory for another connection: it is closed");
        if (fd >= 0)
            sys.close(fd);
        return NULL;
    }
    loop->total++;
    conn->connecting = conn->blocked = origin == CONN_CONNECTING;
    loop_touch(loop, conn);
    return conn;
}

static void begin(parley_conn *conn)
{
    atomic_fetch_add_explicit(&conn->loop->server->shared->accepted, 1, memory_order_relaxed);
    conn_established(conn);
}

parley_conn *loop_adopt(struct loop *loop, int fd, const struct sockaddr *peer, enum conn_origin origin)
{
    parley_conn *conn = conn_make(loop, fd, peer, origin);
    if (!conn)
        return NULL;
    crowd_joined(conn);
    conn->dialled = true;
    if (fd >= 0 && origin != CONN_CONNECTING)
        begin(conn);
    return conn;
}

parley_conn *loop_admit(struct loop *loop, int fd, const struct sockaddr *peer, struct door *door)
{
    parley_conn *conn = conn_make(loop, fd, peer, CONN_ACCEPTED);
    if (!conn)
        return NULL;
    if (conn->covered)
        conn_cover(conn)->door = door;
    crowd_joined(conn);
    begin(conn);
    return conn;
}

static bool is_failure(parley_reason reason)
{
    return reason != PARLEY_FINISHED && reason != PARLEY_DRAINED && reason != PARLEY_ABORTED &&
           reason != PARLEY_IDLE;
}

/* Who was never let in has not been announced either. */
static void say_refused(parley_conn *conn)
{
    log_line(&conn->loop->log, LOG_REFUSED, parley_peer(conn), "turned away%s%s: %s",
             *parley_via(conn) ? ", via " : "", parley_via(conn), parley_failure(conn));
}

static void say_closed(parley_conn *conn)
{
    struct log *log = &conn->loop->log;
    enum log_event event = is_failure(conn->reason) ? LOG_CONN : conn->guest ? LOG_DETAIL : LOG_CLOSED;
    if (!log_wants(log, event) || (conn->guest && !conn->dialled))
        return;
    const char *failure = parley_failure(conn);
    log_line(log, event, parley_peer(conn), "left: %s%s%s; %llu bytes in, %llu bytes out",
             parley_reason_text(conn->reason), *failure ? ": " : "", failure,
             (unsigned long long)conn->received, (unsigned long long)conn->sent);
}

/* Not all was sent, or taken: an end in order would say that this was all. And what the kernel still holds
 * for a peer whose window is closed stays there for as long as that peer's kernel answers, with nobody to
 * count it. */
static bool ends_in_a_reset(const parley_conn *conn)
{
    return conn->reason == PARLEY_ABORTED || conn->reason == PARLEY_STALLED || queue_size(&conn->queue) > 0;
}

/* The one place where a connection is freed: it is dead, nothing holds it, no callback of it runs. */
void conn_free(parley_conn *conn)
{
    struct loop *loop = conn->loop;
    const parley_handler *handler = loop->server->handler;
    if (conn->secured && conn->opened && conn->reason == PARLEY_RESET)
        secure_last_words(conn);
    if (conn->bridged)
        bridge_part(conn);
    if (conn_handler(conn)->closed && (conn->opened || conn->dialled))
        conn_handler(conn)->closed(conn, conn->reason);
    if (conn->opened)
        say_closed(conn);
    else if (conn->reason == PARLEY_REFUSED && !conn->guest) /* a guest's handler is told */
        say_refused(conn);
    if (conn->fd >= 0 && ends_in_a_reset(conn))
        limits_reset_on_close(conn->fd);
    if (conn->fd >= 0)
        sys.close(conn->fd);
    if (!conn->lingering && !conn->guest)
        crowd_left(conn);
    loop->total--;
    if (conn->guest || conn->bridged)
        side_free(conn);
    timer_cancel(&loop->timers, &conn->deadline);
    if (handler->timed)
        timer_cancel(&loop->timers, &conn_extra(conn)->alarm);
    queue_clear(&conn->queue, &loop->chunks);
    if (conn->covered)
        cover_free(conn);
    if (conn->fd < 0)
        sys.free(conn->failure);
    else if (conn->frame)
        frame_free(&conn->frame);
    conn_forget_peer(conn);
    leave_room(loop, conn);
    accepting_hurry(loop);
}
