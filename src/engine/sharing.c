/* Sharing a listener evenly. The kernel wakes whom it likes among the workers that wait; one that has taken
 * far more clients than another gives way while the others take some, and no longer: they may be busy, or
 * blocked. */
#include "engine/loop.h"
#include "engine/server.h"

enum {
    LOOK_AFTER = 8, /* clients between two looks at what the other workers have taken */
    GIVE_WAY = 1    /* ms until the next look at whether they go on */
};

/* What all workers but this one have taken; `*least` is what the idlest of all has. */
static unsigned taken_by_others(const struct loop *loop, unsigned *least)
{
    atomic_uint *taken = loop->server->shared->taken;
    unsigned sum = 0;
    *least = atomic_load(&taken[loop->worker->index]);
    for (unsigned i = 0; i < loop->server->worker_total; i++) {
        unsigned count = atomic_load(&taken[i]);
        sum += i == loop->worker->index ? 0 : count;
        *least = count < *least ? count : *least;
    }
    return sum;
}

static void wait_a_moment(struct loop *loop, struct listener *listener, unsigned others)
{
    listener->gives_way = true;
    listener->others = others;
    timer_arm(&loop->timers, &listener->again, loop->now + GIVE_WAY);
}

void sharing_took(struct loop *loop, struct listener *listener)
{
    if (!listener->shared)
        return;
    unsigned mine = atomic_fetch_add(&loop->server->shared->taken[loop->worker->index], 1) + 1, least;
    if (mine % LOOK_AFTER != 0)
        return;
    unsigned others = taken_by_others(loop, &least);
    if (mine > least + least / 4 + LOOK_AFTER)
        wait_a_moment(loop, listener, others);
}

bool sharing_gives_way(struct loop *loop, struct listener *listener)
{
    unsigned least, mine = atomic_load(&loop->server->shared->taken[loop->worker->index]);
    unsigned others = taken_by_others(loop, &least);
    listener->gives_way = false;
    if (others != listener->others && mine > least + least / 8)
        wait_a_moment(loop, listener, others);
    return listener->gives_way;
}
