/* Sharing a listener evenly. The kernel wakes whom it likes among the workers that wait, and who is awake
 * already takes a burst alone while the others are still on their way. So a worker that is ahead of another,
 * in the clients that it has now or in all that it ever took, gives way for a moment. Who does not use the
 * moment is busy, or blocked, and is not waited for again for a while, unless it takes a client. */
#include "base/sys.h"
#include "engine/accepting.h"
#include "engine/loop.h"
#include "engine/server.h"

enum {
    FEW = 16,       /* clients up to which each one more is reason to look at the other workers, */
    LOOK_AFTER = 8, /* and so many from then on */
    /* ms: so long may a worker that was woken wait for its processor, and one that is busy not come back */
    PATIENCE_ASLEEP = 20,
    PATIENCE_BUSY = 10,
    LOOK_EVERY = 1, /* ms: nobody wakes it when the other has overtaken it meanwhile */
    /* ms, doubling to the longest: a worker that a busy machine woke too late is not one that is stopped */
    PASSED_OVER = 50,
    LONGEST_PASSED_OVER = 800
};

static struct share *share_of(const struct loop *loop, unsigned index)
{
    return &loop->server->shared->shares[index];
}

static struct share *own_share(const struct loop *loop)
{
    return share_of(loop, loop->worker->index);
}

static unsigned taken_by(const struct loop *loop, unsigned index)
{
    return atomic_load_explicit(&share_of(loop, index)->taken, memory_order_relaxed);
}

/* A worker that was waited for in vain. */
struct passed_over {
    int64_t until, time; /* ms */
    unsigned taken;      /* what it had taken */
};

static bool is_passed_over(const struct loop *loop, unsigned index)
{
    const struct passed_over *passed = &loop->passed_over[index];
    return loop->now < passed->until && passed->taken == taken_by(loop, index);
}

/* ---- telling ---- */

int sharing_open(struct loop *loop)
{
    loop->passed_over = sys.calloc(loop->server->worker_total, sizeof *loop->passed_over);
    if (!loop->passed_over)
        return -1;
    sharing_tell(loop);
    return 0;
}

/* Who holds none is told from who is not there. */
void sharing_tell(struct loop *loop)
{
    if (loop->passed_over)
        atomic_store_explicit(&own_share(loop)->holds, loop->count + 1, memory_order_relaxed);
}

void sharing_close(struct loop *loop)
{
    if (loop->passed_over)
        atomic_store(&own_share(loop)->holds, 0);
    sys.free(loop->passed_over);
    loop->passed_over = NULL;
}

/* ---- who is ahead ---- */

/* How it compares with the worker that has least. */
struct lead {
    unsigned mine, least;
    unsigned whose; /* the other's index */
};

static bool is_far_ahead(const struct lead *lead, enum way way)
{
    return lead->mine > lead->least + lead->least / 4 + (way == WAY_TAKEN ? LOOK_AFTER : 1);
}

static bool is_still_ahead(const struct lead *lead, enum way way)
{
    return lead->mine > lead->least + lead->least / 8 + (way == WAY_HELD);
}

static unsigned held_by(const struct loop *loop, unsigned index)
{
    return atomic_load_explicit(&share_of(loop, index)->holds, memory_order_relaxed);
}

/* Its share as far as this way of comparing goes. */
static unsigned amount(const struct loop *loop, enum way way, unsigned index)
{
    if (way == WAY_TAKEN)
        return taken_by(loop, index);
    return held_by(loop, index) - 1;
}

/* What a worker ever took does not count against one that gives way by what it holds: both would wait. */
static bool counts(const struct loop *loop, enum way way, unsigned index)
{
    if (index == loop->worker->index || held_by(loop, index) == 0 || is_passed_over(loop, index))
        return false;
    const struct lead its = {held_by(loop, index) - 1, loop->count, loop->worker->index};
    return way == WAY_HELD || !is_still_ahead(&its, WAY_HELD);
}

static struct lead lead_of(const struct loop *loop, enum way way)
{
    unsigned mine = way == WAY_TAKEN ? taken_by(loop, loop->worker->index) : loop->count;
    struct lead lead = {mine, mine, loop->worker->index};
    for (unsigned i = 0; i < loop->server->worker_total; i++) {
        unsigned its = counts(loop, way, i) ? amount(loop, way, i) : mine;
        if (its < lead.least)
            lead = (struct lead){mine, its, i};
    }
    return lead;
}

/* ---- giving way ---- */

static int64_t patience(const struct loop *loop, unsigned with)
{
    const bool is_asleep = atomic_load_explicit(&share_of(loop, with)->busy_since, memory_order_relaxed) <= 0;
    return is_asleep && !loop->poller->deaf ? PATIENCE_ASLEEP : PATIENCE_BUSY;
}

static void pass_over(struct loop *loop, unsigned index)
{
    struct passed_over *passed = &loop->passed_over[index];
    const bool again = passed->time > 0 && passed->taken == taken_by(loop, index);
    passed->time = !again                               ? PASSED_OVER
                   : passed->time < LONGEST_PASSED_OVER ? passed->time * 2
                                                        : passed->time;
    passed->until = loop->now + passed->time;
    passed->taken = taken_by(loop, index);
}

static void give_way(struct loop *loop, struct listener *listener, enum way way, unsigned to)
{
    listener->way = way;
    listener->to = to;
    listener->its = taken_by(loop, to);
    listener->until = loop->now + patience(loop, to);
    timer_arm(&loop->timers, &listener->again, loop->now + LOOK_EVERY);
}

static bool look(struct loop *loop, struct listener *listener, enum way way)
{
    struct lead lead = lead_of(loop, way);
    if (is_far_ahead(&lead, way))
        give_way(loop, listener, way, lead.whose);
    return listener->way != WAY_NONE;
}

void sharing_took(struct loop *loop, struct listener *listener)
{
    if (!listener->shared)
        return;
    unsigned taken = atomic_fetch_add_explicit(&own_share(loop)->taken, 1, memory_order_relaxed) + 1;
    bool is_time = taken % LOOK_AFTER == 0;
    if (listener->way == WAY_NONE && (is_time || loop->count <= FEW) && !look(loop, listener, WAY_HELD) &&
        is_time)
        look(loop, listener, WAY_TAKEN);
}

bool sharing_gives_way(struct loop *loop, struct listener *listener)
{
    enum way way = listener->way;
    bool is_over = loop->now >= listener->until;
    if (is_over && listener->its == taken_by(loop, listener->to))
        pass_over(loop, listener->to);
    struct lead lead = lead_of(loop, way);
    if (!is_still_ahead(&lead, way)) {
        listener->way = WAY_NONE;
        timer_cancel(&loop->timers, &listener->again);
    } else if (is_over) {
        give_way(loop, listener, way, lead.whose);
    } else if (listener->again.place == 0) {
        timer_arm(&loop->timers, &listener->again, loop->now + LOOK_EVERY);
    }
    return listener->way != WAY_NONE;
}
