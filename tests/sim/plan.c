/* What kind of world a seed makes: how hostile, and how the server is set. */
#include "sim.h"
#include <string.h>

void make_plan(void)
{
    static const struct poller *const pollers[] = {&poller_sim, &poller_sim, &poller_epoll, &poller_poll,
                                                   &poller_select};
    static const char *const framings[] = {"raw",           "raw",      "raw",
                                           "line max=2000", "u16be",    "u32be max=64KiB",
                                           "varint",        "fixed=64", "delim=\\r\\n max=4KiB"};
    static const unsigned hiccups[] = {0, 5, 20, 50};
    struct plan *plan = &world.plan;
    do
        plan->poller = pollers[below(5)];
    while (sim_only && strcmp(sim_only, plan->poller->name) != 0);
    plan->framing = framings[below(9)];
    plan->links = between(1, chance(50) ? 4 : LINKS);
    plan->hiccups = hiccups[below(4)];
    plan->faults = chance(30) ? between(1, 100) : 0;
    plan->memory = chance(20) ? between(1, 300) : 0;
    plan->chaos = chance(70) ? between(1, 30) : 0;
    plan->letters = chance(30) ? between(1, 200) : 0;
    plan->abort = chance(20);
    plan->freezes = chance(20);
    plan->has_drained = chance(60);
    plan->has_ended = chance(70);
    plan->has_timed = chance(70);
}

static int64_t some_time(unsigned none, unsigned most)
{
    return chance(none) ? 0 : 1 + below(chance(50) ? most : most / 20);
}

static struct policy some_policy(unsigned from)
{
    struct policy policy = {.message = SIM_MESSAGE "\n"};
    policy.how = from + below(4 - from);
    return policy;
}

static void set_limits(struct options *options)
{
    struct limits *limits = &options->limits;
    limits->when_full = some_policy(POLICY_QUEUE);
    limits->when_over = some_policy(POLICY_CLOSE);
    limits->accept_rate = chance(15) ? between(1, 200) : 0;
    if (chance(30))
        limits->message_max = 1 + some_size(3000);
    limits_apply(limits, &options->framing);
    if (chance(60))
        return; /* connections without a cover */
    limits->first_byte = some_time(50, 5000);
    limits->bytes_max = chance(50) ? 1 + some_size(1 << 20) : 0;
    limits->rate_span = chance(30) ? 50 + below(5000) : 0;
    limits->rate_bytes = 1 + some_size(5000);
}

void set_options(struct options *options)
{
    static const size_t marks[] = {1, 100, 5000, 64 << 10, 256 << 10};
    options->model = (struct model){&placement_prethread, world.plan.poller};
    options->idle = some_time(50, 20000);
    options->life = some_time(70, 30000);
    options->write_timeout = some_time(20, 20000);
    options->linger = some_time(10, 5000);
    options->drain = some_time(10, 10000);
    options->high_water = marks[below(5)];
    options->queue_max = options->high_water + LEAST_RECEIVE + (chance(70) ? 64 << 20 : below(1 << 20));
    options->connections = chance(30) ? between(1, 6) : 0;
    set_limits(options);
}
