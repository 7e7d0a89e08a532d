/* The order of the measurements: every candidate in turn, round after round. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/error.h"
#include "compare/compare.h"
#include "compare/hold.h"
#include "compare/instance.h"
#include "compare/interruption.h"
#include "compare/report.h"
#include "load/result.h"

struct schedule {
    struct comparison *comparison;
    compare_progress *progress;
    void *context;
    size_t step, steps;
    int interrupt; /* readable when it is to end */
};

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The servers inherit it. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void step(struct schedule *schedule, const struct candidate *candidate,
                 const struct workload *workload)
{
    if (schedule->progress)
        schedule->progress(schedule->context, schedule->comparison, candidate, workload, schedule->step,
                           schedule->steps);
    schedule->step++;
}

static bool start(const struct schedule *schedule, struct instance *instance, struct candidate *candidate)
{
    if (instance_start(instance, candidate, schedule->comparison->plan, schedule->interrupt) == 0)
        return true;
    instance_end(instance, candidate);
    if (interruption_taken())
        candidate->reason[0] = '\0'; /* it was given no time */
    return false;
}

/* ---- memory ---- */

/* The most connections it is to serve at once. */
static unsigned most_connections(const struct compare_plan *plan, const struct candidate *candidate)
{
    unsigned most = 1;
    for (size_t i = 0; i < plan->workload_count; i++)
        if (plan->workloads[i].connections > most && candidate_takes(candidate, &plan->workloads[i]))
            most = plan->workloads[i].connections;
    return most;
}

static void look_at(struct schedule *schedule, struct candidate *candidate)
{
    const struct compare_plan *plan = schedule->comparison->plan;
    struct instance instance;
    step(schedule, candidate, NULL);
    if (!start(schedule, &instance, candidate))
        return;
    hold_and_look(&candidate->memory, &instance, plan, most_connections(plan, candidate));
    instance_end(&instance, candidate);
}

/* ---- load ---- */

/* A server that answered nothing has failed; one that answered wrongly now and then has its numbers, and its
 * errors beside them. */
static void take_result(struct candidate *candidate, const struct compare_plan *plan, size_t workload,
                        const struct load_result *result, uint64_t switches)
{
    struct cell *cell = &candidate->cells[workload];
    char text[WORDING];
    if (cell_add(cell, result, switches))
        snprintf(candidate->reason, sizeof candidate->reason, "%s", parley_error());
    else if (result->requests == 0 && load_errors(result) > 0 && !*candidate->reason)
        snprintf(candidate->reason, sizeof candidate->reason, "answered nothing with %s: %s",
                 workload_text(&plan->workloads[workload], text), cell->first_error);
}

static void load_server(struct schedule *schedule, struct instance *instance, struct candidate *candidate,
                        size_t workload, struct load_result *result)
{
    const struct compare_plan *plan = schedule->comparison->plan;
    struct load_plan load;
    compare_load_plan(plan, &plan->workloads[workload], &load);
    load.address = instance->address;
    int status = plan->load(&load, result);
    char sentence[REASON];
    snprintf(sentence, sizeof sentence, "%s", status ? parley_error() : "");
    interruption_note(result->interrupted);
    uint64_t switches = instance_end(instance, candidate);
    if (interruption_taken())
        return;
    if (status && !*candidate->reason)
        snprintf(candidate->reason, sizeof candidate->reason, "%s", sentence);
    if (status == 0)
        take_result(candidate, plan, workload, result, switches);
}

static void measure(struct schedule *schedule, struct candidate *candidate, size_t workload)
{
    struct instance instance;
    struct load_result result;
    step(schedule, candidate, &schedule->comparison->plan->workloads[workload]);
    if (!start(schedule, &instance, candidate))
        return;
    if (load_result_open(&result) == 0)
        load_server(schedule, &instance, candidate, workload, &result);
    instance_end(&instance, candidate);
    load_result_close(&result);
}

/* Each round begins with another candidate. */
static void run_round(struct schedule *schedule, unsigned round)
{
    const struct comparison *comparison = schedule->comparison;
    for (size_t workload = 0; workload < comparison->plan->workload_count; workload++)
        for (size_t i = 0; i < comparison->count && !interruption_taken(); i++) {
            struct candidate *candidate = &comparison->candidates[(round + i) % comparison->count];
            if (!*candidate->reason && candidate_takes(candidate, &comparison->plan->workloads[workload]))
                measure(schedule, candidate, workload);
        }
}

/* ---- all of it ---- */

static size_t count_steps(const struct comparison *comparison)
{
    size_t steps = comparison->count;
    for (size_t i = 0; i < comparison->count; i++)
        for (size_t workload = 0; workload < comparison->plan->workload_count; workload++)
            if (candidate_takes(&comparison->candidates[i], &comparison->plan->workloads[workload]))
                steps += comparison->plan->rounds;
    return steps;
}

static void settle(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        for (size_t workload = 0; workload < comparison->plan->workload_count; workload++)
            cell_settle(&comparison->candidates[i].cells[workload]);
}

static void run(struct schedule *schedule)
{
    const struct comparison *comparison = schedule->comparison;
    for (size_t i = 0; i < comparison->count; i++)
        comparison->candidates[i].memory = (struct memory){.idle = NAN, .per_connection = NAN};
    for (size_t i = 0; i < comparison->count && !interruption_taken(); i++)
        look_at(schedule, &comparison->candidates[i]);
    for (unsigned round = 0; round < comparison->plan->rounds && !interruption_taken(); round++)
        run_round(schedule, round);
}

int comparison_run(struct comparison *comparison, compare_progress *progress, void *context)
{
    struct schedule schedule = {
        .comparison = comparison, .progress = progress, .context = context, .steps = count_steps(comparison)};
    double begin = seconds(CLOCK_MONOTONIC);
    comparison->since = seconds(CLOCK_REALTIME);
    raise_descriptor_limit();
    schedule.interrupt = interruption_open();
    if (schedule.interrupt < 0)
        return fail_call("eventfd", NULL, errno);
    run(&schedule);
    settle(comparison);
    comparison->interrupted = interruption_taken();
    comparison->elapsed = seconds(CLOCK_MONOTONIC) - begin;
    interruption_close();
    return 0;
}
