#include "engine/crowd.h"
#include "engine/error.h"
#include "engine/loop.h"
#include "engine/server.h"

enum {
    LOOK_AGAIN = 100,     /* ms */
    MILLISECOND = 1000000 /* ns */
};

/* ns: so much of a second's clients may come at once. */
static const int64_t BURST = 100 * MILLISECOND, SECOND = 1000 * MILLISECOND;

static const struct limits *limits_of(const struct loop *loop)
{
    return &loop->server->options.limits;
}

static bool turns_away(const struct loop *loop)
{
    return limits_of(loop)->when_full != FULL_QUEUE;
}

static unsigned least(unsigned one, unsigned other)
{
    return one == 0 ? other : other == 0 || one < other ? one : other;
}

/* Workers are never more than connections, so each has one at least. */
static unsigned share(const struct loop *loop)
{
    unsigned all = loop->server->options.connections, workers = loop->server->worker_total;
    if (turns_away(loop) || all == 0)
        return 0;
    return workers > 1 ? all / workers + (loop->worker->index < all % workers) : all;
}

void crowd_open(struct loop *loop)
{
    const struct options *options = &loop->server->options;
    const struct model *model = &options->model;
    loop->bounded = options->connections > 0 || options->limits.accept_rate > 0;
    loop->limit = least(least(model->placement->limit, model->poller->capacity), share(loop));
    if (loop->worker->fd >= 0)
        loop->limit = 1;
}

/* ---- how fast they come ---- */

/* ms until the next may come. `accept_due` is when it is due at an even pace; all workers move it. */
static int64_t wait_of(const struct loop *loop)
{
    if (limits_of(loop)->accept_rate == 0)
        return 0;
    int64_t due = atomic_load(&loop->server->shared->accept_due);
    int64_t wait = due - BURST - loop->now * MILLISECOND;
    return wait > 0 ? (wait + MILLISECOND - 1) / MILLISECOND : 0;
}

/* One has come. One too many, since workers accept side by side, makes the next wait longer. */
static void move_due(struct loop *loop)
{
    _Atomic int64_t *due = &loop->server->shared->accept_due;
    int64_t now = loop->now * MILLISECOND, before = atomic_load(due), after;
    unsigned rate = limits_of(loop)->accept_rate;
    do
        after = (before > now ? before : now) + SECOND / rate;
    while (!atomic_compare_exchange_weak(due, &before, after));
}

/* ---- pausing ---- */

/* For what does not tell: a wait, or a place that became free while a deaf poller went to sleep. */
static void look_again(struct loop *loop, int64_t delay)
{
    for (size_t i = 0; i < loop->listener_count; i++)
        if (loop->listeners[i].again.place == 0)
            timer_arm(&loop->timers, &loop->listeners[i].again, loop->now + delay);
}

/* An acceptor counts the workers it has started. */
static bool is_full(const struct loop *loop)
{
    unsigned all = loop->server->options.connections, mine = share(loop);
    if (loop->hands_over)
        return all > 0 && atomic_load(&loop->server->clients) >= all;
    return mine > 0 && loop->count >= mine;
}

static void say_pause(struct loop *loop, unsigned most, const char *limit)
{
    if (!loop->crowded)
        log_line(&loop->log, LOG_ACCEPT, NULL, "full, further clients wait: at most %u %s", most, limit);
    loop->crowded = true;
}

/* A model that serves no more anyway is not at the user's limit. */
static bool is_tighter_than_model(const struct loop *loop)
{
    const struct model *model = &loop->server->options.model;
    unsigned own = least(model->placement->limit, model->poller->capacity);
    return loop->hands_over || own == 0 || share(loop) < own;
}

static bool is_paused(struct loop *loop)
{
    int64_t wait = wait_of(loop);
    if (is_full(loop)) {
        if (is_tighter_than_model(loop))
            say_pause(loop, loop->server->options.connections, "at once (connections)");
        if (loop->hands_over && loop->poller->deaf)
            look_again(loop, LOOK_AGAIN);
        return true;
    }
    if (wait > 0) {
        say_pause(loop, limits_of(loop)->accept_rate, "a second (accept-rate)");
        look_again(loop, wait);
        return true;
    }
    loop->crowded = false;
    return false;
}

/* ---- turning away ---- */

/* Each worker tells the others how many it has. */
static unsigned tell(struct loop *loop, unsigned count)
{
    atomic_uint *open = loop->server->shared->open;
    unsigned all = 0;
    if (loop->hands_over)
        return atomic_load(&loop->server->clients) + (count > loop->count);
    atomic_store(&open[loop->worker->index], count);
    for (unsigned i = 0; i < loop->server->worker_total; i++)
        all += atomic_load(&open[i]);
    return all;
}

/* The one too many must be accepted before it can be told. A worker that is blocked by its client cannot. */
static bool is_to_tell(struct loop *loop)
{
    unsigned most = loop->server->options.connections;
    return most > 0 && !loop->poller->deaf && tell(loop, loop->count) >= most;
}

bool crowd_has_room(struct loop *loop)
{
    bool has_place = loop->hands_over || loop->limit == 0 || loop->count < loop->limit;
    if (!loop->bounded)
        return has_place;
    if (turns_away(loop))
        return is_to_tell(loop) || has_place;
    return !is_paused(loop) && has_place;
}

int crowd_enter(struct loop *loop)
{
    unsigned most = loop->server->options.connections, rate = limits_of(loop)->accept_rate;
    if (!loop->bounded)
        return 0;
    if (turns_away(loop) && most > 0 && tell(loop, loop->count + 1) > most) {
        tell(loop, loop->count);
        return fail(PARLEY_NETWORK, "at most %u at once (connections)", most);
    }
    if (turns_away(loop) && wait_of(loop) > 0)
        return fail(PARLEY_NETWORK, "at most %u a second (accept-rate)", rate);
    if (rate > 0)
        move_due(loop);
    return 0;
}
