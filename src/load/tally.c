#include "load/tally.h"
#include "load/clock.h"
#include <stdlib.h>
#include <string.h>

/* Each may touch 64 KiB: half a GiB in all, however long the run. */
enum { MOST_INTERVALS = 7200 };

int tally_open(struct tally *tally)
{
    struct histogram *all[] = {&tally->recent,  &tally->response,   &tally->service,
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
    histogram_close(&tally->response);
    histogram_close(&tally->service);
    histogram_close(&tally->connect);
    histogram_close(&tally->first_byte);
    histogram_close(&tally->lag);
}

/* Rounded up to whole seconds. */
static int64_t step_for(int64_t duration_ms)
{
    int64_t seconds = duration_ms / 1000 / MOST_INTERVALS + (duration_ms / 1000 % MOST_INTERVALS > 0);
    return (seconds > 1 ? seconds : 1) * NS_PER_SECOND;
}

size_t ledger_intervals(const struct ledger *ledger, int64_t duration_ms)
{
    int64_t step_ms = ledger->step / NS_PER_MS;
    return (size_t)((duration_ms + step_ms - 1) / step_ms);
}

int ledger_open(struct ledger *ledger, struct load_result *result, unsigned generators, int64_t duration_ms)
{
    pthread_condattr_t attributes;
    *ledger = (struct ledger){.result = result, .generators = generators, .step = step_for(duration_ms)};
    ledger->duration = (double)duration_ms / 1000;
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
        double step = (double)ledger->step / NS_PER_SECOND;
        interval->start = (double)(result->interval_count - 1) * step;
        double left = ledger->duration - interval->start;
        interval->length = left > 0 && left < step ? left : step;
    }
    return &result->intervals[index];
}

static void add_to(struct load_interval *interval, const struct tally *tally, unsigned open)
{
    interval->requests += tally->requests;
    interval->errors += tally->errors;
    interval->bytes_in += tally->bytes_in;
    interval->bytes_out += tally->bytes_out;
    interval->open += open;
    histogram_add(&interval->response, &tally->recent);
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
    struct load_result *result = ledger->result;
    pthread_mutex_lock(&ledger->lock);
    struct load_interval *interval = interval_at(ledger, index);
    if (interval) {
        add_to(interval, tally, open);
        if (++ledger->handed_over[index] >= ledger->generators)
            pthread_cond_signal(&ledger->handed);
    }
    result->requests += tally->requests;
    result->bytes_in += tally->bytes_in;
    result->bytes_out += tally->bytes_out;
    take_faults(result, tally);
    pthread_mutex_unlock(&ledger->lock);
    histogram_add(&tally->response, &tally->recent);
    histogram_clear(&tally->recent);
    tally->requests = tally->errors = tally->bytes_in = tally->bytes_out = 0;
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
