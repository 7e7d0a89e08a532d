#include "engine/loop.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include "engine/beside.h"
#include "engine/chore.h"
#include "engine/dialling.h"
#include "engine/server.h"
#include "limit/crowd.h"
#include "supervise/notify.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

enum {
    MILLISECOND = 1000000, /* ns */
    SECOND = 1000 * MILLISECOND,
    PAGE = 4096,
    RECEIVE_BUFFER = 256 << 10, /* large messages cost a call per buffer: the best all-rounder measured */
    SETTLE_ROUNDS = 3,          /* so that a producer cannot keep the loop from its other connections */
    WAIT_AGAIN = 50             /* ms */
};

/* ---- the turn ---- */

void loop_touch(struct loop *loop, parley_conn *conn)
{
    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    dirty_put(&loop->dirty, conn);
}

static void settle_one(struct loop *loop, parley_conn *conn)
{
    conn->is_dirty = false;
    if (conn->fd >= 0)
        loop->poller->update(loop, conn);
    if (!conn->dead)
        conn_settle(conn);
    else if (conn->held == 0 && !conn->is_dirty)
        conn_free(conn);
}

static void settle(struct loop *loop)
{
    for (int round = 0; loop->dirty.count > 0 && round < SETTLE_ROUNDS; round++)
        for (uint32_t left = loop->dirty.count; left > 0; left--)
            settle_one(loop, dirty_take(&loop->dirty));
    if (!loop->accepts_on)
        accepting_update(loop);
}

/* The drain deadline: whoever still has bytes unsent loses them, and its reason says so. */
static void cut_all(struct loop *loop)
{
    uint32_t place = 0;
    for (parley_conn *conn; (conn = slots_next(&loop->slots, &place));)
        if (conn->finishing && !conn_has_unsent(conn))
            conn_over(conn);
        else
            conn_die(conn, PARLEY_CUT);
    chores_hurry(loop);
}

static void loop_drain(struct loop *loop)
{
    loop->draining = true;
    loop->accepts_on = false;
    uint32_t place = 0;
    for (parley_conn *conn; (conn = slots_next(&loop->slots, &place));)
        conn_drain(conn);
    dialling_close(loop);
    timer_arm(&loop->timers, &loop->drain_timer, loop->now + loop->server->options.drain);
}

static bool loop_is_finished(const struct loop *loop)
{
    bool waits =
        !loop->draining && !loop->failed && (loop->listener_count > 0 || loop->dialling > 0 || loop->pace);
    return loop->total == 0 && !waits && !loop->chores;
}

static void alarm_fired(parley_conn *conn)
{
    if (!conn->dead && !conn->finishing)
        conn->loop->server->handler->timed(conn);
}

#define OWNER(timer, type, member) ((type *)(void *)((char *)(timer)-offsetof(type, member)))

static void fired(struct timer *timer)
{
    switch (timer->kind) {
    case TIMER_DEADLINE: conn_look(OWNER(timer, parley_conn, deadline)); break;
    case TIMER_GUEST: guest_alarmed(timer); break;
    case TIMER_CHORE: chore_fired(timer); break;
    case TIMER_ALARM: alarm_fired(conn_of_extra(OWNER(timer, struct conn_extra, alarm))); break;
    case TIMER_LISTENER: /* its back-off is over: settle looks which listeners are wanted */ break;
    case TIMER_DRAIN: cut_all(OWNER(timer, struct loop, drain_timer)); break;
    }
}

/* What was settled after the pacer had looked took its time, so the clock is read again. */
static int64_t time_until(int64_t when)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = when - (int64_t)now.tv_sec * SECOND - now.tv_nsec;
    return left > 0 ? left : 0;
}

/* ns until something is due; -1: nothing. */
static int64_t time_to_sleep(const struct loop *loop, int64_t paced)
{
    if (loop->dirty.count > 0 || loop->restless)
        return 0;
    int64_t timers = timers_wait(&loop->timers, loop->now);
    timers = timers > INT64_MAX / MILLISECOND ? -1 : timers * MILLISECOND;
    paced = paced < 0 ? -1 : time_until(paced);
    return timers < 0 || (paced >= 0 && paced < timers) ? paced : timers;
}

/* The kernel has no memory to wait with, or a watched descriptor was closed by its owner. Asked again at once
 * it would say the same, as fast as it can. A stop ends the pause. */
static void could_not_wait(struct loop *loop)
{
    const struct timespec pause = {.tv_nsec = WAIT_AGAIN * MILLISECOND};
    if (errno == EINTR)
        return;
    log_line(&loop->log, LOG_FAULT, NULL, "cannot wait for clients: %s: %s", loop->poller->name,
             reason_of(loop->poller->name, errno));
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* False: it was the last one. */
static bool turn(struct loop *loop)
{
    if (loop->worker->is_process && atomic_load(&loop->server->reload_asked) && !loop->draining)
        reload_here(loop->server, &loop->log);
    int stop = atomic_load(&loop->worker->stop);
    if (stop && !loop->draining)
        loop_drain(loop);
    if (stop == WORKER_ABORT)
        cut_all(loop);
    if (timers_wait(&loop->timers, loop->now) == 0)
        timers_fire(&loop->timers, loop->now, fired);
    loop->restless = false;
    int64_t paced = loop->pace ? loop->pace(loop) : -1;
    settle(loop);
    if (loop_is_finished(loop))
        return false;
    loop_rests(loop);
    int count = loop->poller->sleep(loop, time_to_sleep(loop, paced));
    if (count < 0)
        could_not_wait(loop);
    loop->now = sys.now();
    loop_works(loop);
    if (count > 0) {
        loop->reporting = true;
        loop->poller->report(loop, count);
        loop->reporting = false;
    }
    return true;
}

void loop_run(struct loop *loop)
{
    while (turn(loop))
        ;
}

/* ---- letters ---- */

static void read_letter(struct loop *loop, const struct letter *letter)
{
    if (letter->kind == LETTER_DIALLED) {
        dialling_done(loop, letter);
        return;
    }
    parley_conn *conn = slots_find(&loop->slots, letter->slot, letter->generation);
    if (!conn)
        return;
    if (letter->kind == LETTER_SEND)
        parley_send(conn, letter->bytes, letter->size);
    else if (letter->kind == LETTER_FINISH)
        parley_finish(conn);
    else
        parley_abort(conn);
}

static void letters_arrived(struct loop *loop, struct watch *watch)
{
    (void)watch;
    for (struct letter *letter = mailbox_take(&loop->mailbox), *next; letter; letter = next) {
        next = letter->next;
        read_letter(loop, letter);
        sys.free(letter);
    }
}

/* ---- opening and closing ---- */

/* What one receive brings may all come back as answers: it fits between the marks. */
static size_t receive_size(const struct parley_server *server)
{
    size_t least = RECEIVE_BUFFER;
    for (const struct door *door = &server->front; door; door = door->next) {
        size_t room = door->options->queue_max - door->options->high_water;
        least = room < least ? room : least;
    }
    return least;
}

static void (*straight_of(const parley_server *server))(parley_conn *, const void *, size_t)
{
    return server->options.framing.kind == FRAMING_RAW ? server->handler->received : NULL;
}

int loop_open(struct loop *loop, struct worker *worker)
{
    struct parley_server *server = worker->server;
    const struct model *model = &server->options.model;
    *loop = (struct loop){.server = server,
                          .worker = worker,
                          .poller = model->poller,
                          .now = sys.now(),
                          .drain_timer.kind = TIMER_DRAIN,
                          .reserve = -1,
                          .cancel = -1,
                          .high_water = server->options.high_water,
                          .straight = straight_of(server),
                          .buffer_size = receive_size(server)};
    loop->shape = conn_shape_of(server);
    slots_open(&loop->slots, loop->shape.size, worker->generation);
    loop->hands_over = model->placement->per_client && worker->fd < 0;
    loop->holds_listeners = worker->fd < 0;
    loop->pulse = notify_pulse(loop);
    log_open(&loop->log, server->options.log, server->options.verbosity);
    log_share(&loop->log, &server->shared->log);
    loop->mailbox.eventfd = -1;
    loop->memory = sys.malloc(loop->buffer_size + PAGE);
    if (crowd_open(loop) < 0 || !loop->memory || timers_reserve(&loop->timers, 1 + server->bound_count) < 0)
        return fail(PARLEY_RESOURCE, "no memory for a loop");
    loop->buffer = loop->memory; /* on a page's edge, copies of large messages cost a tenth less */
    loop->buffer += (PAGE - (uintptr_t)loop->memory % PAGE) % PAGE;
    int status = loop->poller->open(loop);
    if (status < 0)
        return status;
    if ((status = mailbox_open(&loop->mailbox, loop->poller->deaf)) < 0)
        return status;
    if (!loop->poller->deaf) {
        loop->wake = (struct watch){.fd = loop->mailbox.eventfd, .readable = letters_arrived};
        if ((status = loop_watch(loop, &loop->wake)) < 0)
            return status;
    }
    return watching_open(loop);
}

void loop_close(struct loop *loop)
{
    dialling_close(loop);
    accepting_close(loop); /* one that never opened has to let go of the listeners too */
    if (loop->poller_state) {
        watching_close(loop);
        loop->poller->close(loop);
    }
    if (loop->mailbox.tail)
        mailbox_close(&loop->mailbox);
    if (loop->reserve >= 0)
        sys.close(loop->reserve);
    crowd_close(loop);
    timers_close(&loop->timers);
    chunk_cache_close(&loop->chunks);
    slots_close(&loop->slots);
    sys.free(loop->sides);
    sys.free(loop->clear);
    reload_let_go(&loop->tls);
    dirty_close(&loop->dirty);
    sys.free(loop->memory);
}

static void close_inherited(int fd)
{
    if (fd >= 0)
        sys.close(fd);
}

void loop_forget(struct loop *loop)
{
    close_inherited(loop->reserve);
    close_inherited(loop->mailbox.eventfd);
    close_inherited(loop->cancel);
    if (loop->poller->forget)
        loop->poller->forget(loop);
}
