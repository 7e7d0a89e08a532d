/* Chance, all of it from the seed, and the trace of what happened last. */
#include "sim.h"
#include <stdarg.h>
#include <stdio.h>

bool sim_verbose, sim_traced;

/* ---- chance ---- */

uint64_t draw(void)
{
    uint64_t x = world.random += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

unsigned below(unsigned limit)
{
    return limit > 0 ? (unsigned)(draw() % limit) : 0;
}

unsigned between(unsigned least, unsigned most)
{
    return least + below(most - least + 1);
}

bool chance(unsigned percent)
{
    return percent > 0 && below(100) < percent;
}

unsigned some_size(unsigned most)
{
    static const unsigned sizes[] = {4, 100, 3000, 20000, UINT32_MAX};
    unsigned size = sizes[below(5)];
    return below((size < most ? size : most) + 1);
}

/* ---- the trace ---- */

enum { TRACE = 60, LINE = 120 };
static char trace[TRACE][LINE];
static unsigned trace_count;

void note(const struct link *link, const char *format, ...)
{
    if (!sim_traced)
        return; /* words cost more than the world itself */
    char *line = trace[trace_count++ % TRACE];
    int used = snprintf(line, LINE, "%8lld  ", (long long)world.now);
    used += link ? snprintf(line + used, LINE - (size_t)used, "#%-2d ", link->number)
                 : snprintf(line + used, LINE - (size_t)used, "    ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, LINE - (size_t)used, format, arguments);
    va_end(arguments);
    if (sim_verbose)
        fprintf(stderr, "%s\n", line);
}

static void tell_plan(void)
{
    const struct options *options = &world.server->options;
    fprintf(
        stderr,
        "  %s, framing %s, high-water %zu, queue-max %zu, idle %lld, life %lld, write-timeout %lld, linger "
        "%lld, drain %lld, connections %u%s%s%s\n",
        world.plan.poller->name, world.plan.framing, options->high_water, options->queue_max,
        (long long)options->idle, (long long)options->life, (long long)options->write_timeout,
        (long long)options->linger, (long long)options->drain, options->connections,
        world.plan.has_drained ? ", drained" : "", world.plan.has_ended ? ", ended" : "",
        world.plan.has_timed ? ", timed" : "");
}

void sim_tell_trace(void)
{
    if (world.server)
        tell_plan();
    unsigned from = trace_count > TRACE ? trace_count - TRACE : 0;
    for (unsigned i = from; i < trace_count && !sim_verbose; i++)
        fprintf(stderr, "%s\n", trace[i % TRACE]);
}

void trace_clear(void)
{
    trace_count = 0;
}
