#include "load/tally.h"
#include "load/clock.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Each may touch 64 KiB: half a GiB in all, however long the run. */
enum { MOST_INTERVALS = 7200 };

int tally_open(struct tally *tally)
{
    struct histogram *all[] = {&tally->recent,  &tally->early,      &tally->response, &tally->service,
                               &tally->connect, &tally->first_byte, &tally->lag};
    int status = 0;
    *tally = (struct tally){0};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        status |= histogram_open(all[i]);
    return status;
}

void tally_close(struct tally *tally)
{
    histogram_close(&tally->recent);
    histogram_close(&tally->early);
    histogram_close(&tally->response);
    histogram_close(&tally->service);
    histogram_close(&tally->connect);
    histogram_close(&tally->first_byte);
    histogram_close(&tally->lag);
}

/* Rounded up to whole seconds. */
static int64_t step_for(int64_t ms)
{
    int64_t seconds = ms / 1000 / MOST_INTERVALS + (ms / 1000 % MOST_INTERVALS > 0);
    return (seconds > 1 ? seconds : 1) * NS_PER_SECOND;
}

static size_t intervals_in(const struct ledger *ledger, double ns)
{
    return (size_t)ceil(ns / (double)ledger->step);
}

size_t ledger_intervals(const struct ledger *ledger)
{
    return ledger->before + intervals_in(ledger, ledger->duration * NS_PER_SECOND);
}

int64_t ledger_interval_end(const struct ledger *ledger, size_t index)
{
    return ((int64_t)index + 1 - (int64_t)ledger->before) * ledger->step;
}

int ledger_open(struct ledger *ledger, struct load_result *result, unsigned generators, int64_t lead_ms,
                int64_t duration_ms)
{
    pthread_condattr_t attributes;
    *ledger = (struct ledger){.result = result,
                              .generators = generators,
                              .step = step_for(lead_ms + duration_ms),
                              .lead = lead_ms * NS_PER_MS,
                              .duration = (double)duration_ms / 1000};
    ledger->before = intervals_in(ledger, (double)ledger->lead);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ledger->handed, &attributes);
    pthread_condattr_destroy(&attributes);
    return pthread_mutex_init(&ledger->lock, NULL) ? -1 : 0;
}

void ledger_close(struct ledger *ledger)
{
    pthread_mutex_destroy(&ledger->lock);
    pthread_cond_destroy(&ledger->handed);
    free(ledger->handed_over);
}

/* The place of the newest interval in the run. */
static void place(const struct ledger *ledger, struct load_interval *interval)
{
    int64_t step = ledger->step, end = ledger_interval_end(ledger, ledger->result->interval_count - 1);
    int64_t start = end - step < -ledger->lead ? -ledger->lead : end - step;
    interval->start = (double)start / NS_PER_SECOND;
    bool is_last = ledger->duration > interval->start && ledger->duration * NS_PER_SECOND < (double)end;
    interval->length = (is_last ? ledger->duration : (double)end / NS_PER_SECOND) - interval->start;
}

/* Makes all intervals up to `index` exist. NULL without memory: that one is not shown, nothing else is lost.
 */
static struct load_interval *interval_at(struct ledger *ledger, size_t index)
{
    struct load_result *result = ledger->result;
    while (index >= ledger->room) {
        size_t room = ledger->room * 2 + 16;
        unsigned *handed_over = realloc(ledger->handed_over, room * sizeof *handed_over);
        if (!handed_over)
            return NULL;
        memset(handed_over + ledger->room, 0, (room - ledger->room) * sizeof *handed_over);
        ledger->handed_over = handed_over;
        ledger->room = room;
    }
    while (index >= result->interval_count) {
        struct load_interval *interval = load_result_add_interval(result);
        if (!interval)
            return NULL;
        place(ledger, interval);
    }
    return &result->intervals[index];
}

static void add_to(struct load_interval *interval, const struct tally *tally, unsigned open, bool is_early)
{
    interval->requests += is_early ? tally->early_requests : tally->requests;
    interval->errors += tally->errors;
    interval->bytes_in += tally->bytes_in;
    interval->bytes_out += tally->bytes_out;
    interval->open += open;
    histogram_add(&interval->response, is_early ? &tally->early : &tally->recent);
}

static void take_totals(struct load_result *result, const struct tally *tally)
{
    result->requests += tally->requests;
    result->bytes_in += tally->bytes_in;
    result->bytes_out += tally->bytes_out;
}

/* What has been answered in the window stays for its first interval. */
static void begin_anew(struct tally *tally, bool is_early)
{
    tally->errors = tally->bytes_in = tally->bytes_out = tally->early_requests = 0;
    histogram_clear(&tally->early);
    if (is_early)
        return;
    histogram_add(&tally->response, &tally->recent);
    histogram_clear(&tally->recent);
    tally->requests = 0;
}

/* The tally keeps its sentences, and counts on from nothing. */
static void take_faults(struct load_result *result, struct tally *tally)
{
    for (int fault = 0; fault < FAULTS; fault++) {
        struct load_faults *counted = &tally->faults[fault];
        load_fault_note(result->faults, (enum load_fault)fault, counted->count,
                        *counted->first ? counted->first : NULL);
        counted->count = 0;
    }
}

void ledger_hand_over(struct ledger *ledger, size_t index, struct tally *tally, unsigned open)
{
    bool is_early = index < ledger->before;
    pthread_mutex_lock(&ledger->lock);
    struct load_interval *interval = interval_at(ledger, index);
    if (interval) {
        add_to(interval, tally, open, is_early);
        if (++ledger->handed_over[index] >= ledger->generators)
            pthread_cond_signal(&ledger->handed);
    }
    if (!is_early)
        take_totals(ledger->result, tally);
    take_faults(ledger->result, tally);
    pthread_mutex_unlock(&ledger->lock);
    begin_anew(tally, is_early);
}

void ledger_settle(struct ledger *ledger, struct tally *tally)
{
    struct load_result *result = ledger->result;
    result->replies_late += tally->late;
    result->connects += tally->connects;
    if (result->resumed >= 0)
        result->resumed += (int64_t)tally->resumed;
    result->intended += tally->intended;
    take_faults(result, tally);
    histogram_add(&result->response, &tally->response);
    histogram_add(&result->service, &tally->service);
    histogram_add(&result->connect, &tally->connect);
    histogram_add(&result->first_byte, &tally->first_byte);
    histogram_add(&result->lag, &tally->lag);
}
