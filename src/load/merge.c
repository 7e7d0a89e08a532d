#include "load/merge.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- validity ---- */

static void invalidate(struct load_result *result, const char *host, const char *reason)
{
    if (result->valid)
        snprintf(result->invalid, sizeof result->invalid, "%.60s: %.190s", host ? host : "one of them",
                 reason);
    result->valid = false;
}

/* Rates add only of generators that loaded the server at the same time. */
static bool ran_together(const struct load_result *one, const struct load_result *other)
{
    double begin = fmax(one->since, other->since);
    double one_end = one->since + one->elapsed, other_end = other->since + other->elapsed;
    double overlap = (one_end < other_end ? one_end : other_end) - begin;
    double shorter = one->elapsed < other->elapsed ? one->elapsed : other->elapsed;
    return overlap >= shorter / 2;
}

static void merge_validity(struct load_result *into, const struct load_result *from)
{
    char reason[160];
    if (!from->valid)
        invalidate(into, from->conditions.host, from->invalid);
    if (ran_together(into, from))
        return;
    snprintf(
        reason, sizeof reason,
        "it did not run at the same time as the others: its window began %.0f s %s theirs, so rates do not "
        "add (do the clocks agree?)",
        fabs(from->since - into->since), from->since > into->since ? "after" : "before");
    invalidate(into, from->conditions.host, reason);
}

/* ---- numbers ---- */

static void merge_counts(struct load_result *into, const struct load_result *from)
{
    into->requests += from->requests;
    into->replies_late += from->replies_late;
    into->intended += from->intended;
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
    into->connects += from->connects;
    if (from->resumed >= 0)
        into->resumed = from->resumed + (into->resumed > 0 ? into->resumed : 0);
    into->open_least += from->open_least;
    into->open_most += from->open_most;
    into->idle_held += from->idle_held;
    for (int i = 0; i < FAULTS; i++)
        load_fault_note(into->faults, (enum load_fault)i, from->faults[i].count, from->faults[i].first);
}

static void merge_histograms(struct load_result *into, const struct load_result *from)
{
    histogram_add(&into->response, &from->response);
    histogram_add(&into->service, &from->service);
    histogram_add(&into->connect, &from->connect);
    histogram_add(&into->first_byte, &from->first_byte);
    histogram_add(&into->lag, &from->lag);
}

static void merge_limits(struct load_limits *into, const struct load_limits *from)
{
    if (from->generator_busy > into->generator_busy) {
        into->generator_busy = from->generator_busy;
        memcpy(into->sentence, from->sentence, sizeof into->sentence);
    }
    if (from->generator_cpu >= 0)
        into->generator_cpu = fmax(into->generator_cpu, 0) + from->generator_cpu;
    if (from->server_busy > into->server_busy) {
        into->server_busy = from->server_busy;
        into->server_cpu = from->server_cpu;
        into->server_processes = from->server_processes;
    }
    if (from->machine_idle >= 0 && (into->machine_idle < 0 || from->machine_idle < into->machine_idle))
        into->machine_idle = from->machine_idle;
}

/* ---- intervals ---- */

static void add_interval(struct load_interval *into, const struct load_interval *from)
{
    into->length = fmax(into->length, from->length);
    into->requests += from->requests;
    into->errors += from->errors;
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
    into->open += from->open;
    histogram_add(&into->response, &from->response);
}

static int append_intervals(struct load_result *into, const struct load_result *from)
{
    for (size_t i = 0; i < from->interval_count; i++) {
        struct load_interval *interval = load_result_add_interval(into);
        if (!interval)
            return fail(PARLEY_RESOURCE, "no memory for the intervals");
        interval->start = from->intervals[i].start;
        add_interval(interval, &from->intervals[i]);
    }
    return 0;
}

/* The second of its window that it is. */
static long second_of(const struct load_interval *interval)
{
    return lround(interval->start);
}

static int by_second(const void *one, const void *other)
{
    long left = second_of(one), right = second_of(other);
    return (left > right) - (left < right);
}

/* Neighbours of the same second become one. */
static void fold_intervals(struct load_result *result)
{
    size_t kept = 0;
    for (size_t i = 1; i < result->interval_count; i++) {
        struct load_interval *last = &result->intervals[kept], *next = &result->intervals[i];
        if (second_of(last) == second_of(next)) {
            add_interval(last, next);
            histogram_close(&next->response);
        } else {
            result->intervals[++kept] = *next;
        }
    }
    result->interval_count = kept + 1;
}

static int merge_intervals(struct load_result *into, const struct load_result *from)
{
    int status = append_intervals(into, from);
    if (status != 0 || into->interval_count == 0)
        return status;
    qsort(into->intervals, into->interval_count, sizeof *into->intervals, by_second);
    fold_intervals(into);
    return 0;
}

int load_merge(struct load_result *into, const struct load_result *from)
{
    int status = load_conditions_compare(&into->conditions, &from->conditions);
    if (status != 0)
        return status;
    merge_validity(into, from);
    merge_counts(into, from);
    merge_histograms(into, from);
    merge_limits(&into->limits, &from->limits);
    into->search = (struct load_search){0};
    into->interrupted = into->interrupted ? into->interrupted : from->interrupted;
    into->since = into->since < from->since ? into->since : from->since;
    into->elapsed = fmax(into->elapsed, from->elapsed);
    status = merge_intervals(into, from);
    return status == 0 ? load_conditions_merge(&into->conditions, &from->conditions) : status;
}
