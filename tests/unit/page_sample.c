#include "page_sample.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WARM_UP = 3, LENGTH = 30, STALL = 12, PER_INTERVAL = 1000 };

static char *copy(const char *text)
{
    char *made = strdup(text);
    assert_non_null(made);
    return made;
}

static void set_conditions(struct load_conditions *conditions, const char *mode)
{
    conditions->command_line = copy("parley load 127.0.0.1:3000 -c 100 -t 2 -d 30s --report report.html");
    conditions->target = copy("127.0.0.1:3000");
    conditions->mode = copy(mode);
    conditions->kernel = copy("Linux 6.1.0-26-amd64 x86_64");
    conditions->processor = copy("Some Processor 1000 @ 3.00GHz");
    conditions->version = copy("0.1.0");
    conditions->host = copy("bench-1");
    conditions->processors = 4;
    conditions->connections = 100;
    conditions->threads = 2;
    conditions->depth = 1;
    conditions->duration = LENGTH;
    conditions->message_size = conditions->reply_size = 64;
}

static void set_limits(struct load_limits *limits)
{
    *limits = (struct load_limits){.generator_busy = 0.62,
                                   .generator_cpu = 18.7,
                                   .server_busy = 0.99,
                                   .server_cpu = 29.8,
                                   .server_processes = 1,
                                   .machine_idle = 0.18};
    snprintf(limits->sentence, sizeof limits->sentence,
             "the server was the limit: it was 99%% busy, our busiest thread 62%%");
}

/* Latencies from 50 µs, one of a hundred ten times as long; `extra` ns on each of them. */
static uint64_t latency(unsigned request, uint64_t extra)
{
    uint64_t base = 50000 + (uint64_t)request % 97 * 300;
    return (request % 100 == 99 ? 10 * base : base) + extra;
}

static struct load_interval *add_interval(struct load_result *result, double start, double length)
{
    struct load_interval *interval = load_result_add_interval(result);
    assert_non_null(interval);
    interval->start = start;
    interval->length = length;
    interval->open = 100;
    return interval;
}

static void fill_interval(struct load_result *result, struct load_interval *interval, uint64_t stall)
{
    for (unsigned i = 0; i < PER_INTERVAL; i++) {
        uint64_t late = stall > 0 ? stall / PER_INTERVAL * i : 0;
        histogram_record(&interval->response, latency(i, late));
        if (interval->start < 0)
            continue;
        histogram_record(&result->response, latency(i, late));
        histogram_record(&result->service, latency(i, 0));
    }
    interval->requests = PER_INTERVAL;
    interval->bytes_in = interval->bytes_out = (uint64_t)64 * PER_INTERVAL;
    result->requests += interval->start < 0 ? 0 : PER_INTERVAL;
}

void sample_open_loop(struct load_result *result)
{
    assert_int_equal(load_result_open(result), 0);
    set_conditions(&result->conditions, "open loop at 1000/s");
    set_limits(&result->limits);
    result->conditions.rate = PER_INTERVAL;
    result->conditions.warmup = WARM_UP;
    result->since = 1795253409;
    result->elapsed = LENGTH;
    result->intended = LENGTH * PER_INTERVAL;
    result->connects = result->open_least = result->open_most = 100;
    for (int second = -WARM_UP; second < LENGTH; second++)
        fill_interval(result, add_interval(result, second, 1), second == STALL ? 400000000 : 0);
    histogram_record_many(&result->lag, 3000, result->requests);
}

static void replace(char **text)
{
    free(*text);
    *text = copy(HOSTILE);
}

void sample_hostile(struct load_result *result)
{
    sample_open_loop(result);
    struct load_conditions *conditions = &result->conditions;
    char **texts[] = {&conditions->command_line, &conditions->target,  &conditions->mode, &conditions->kernel,
                      &conditions->processor,    &conditions->version, &conditions->host};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        replace(texts[i]);
    result->valid = false;
    result->interrupted = SIGINT;
    snprintf(result->invalid, sizeof result->invalid, "it was late " HOSTILE);
    snprintf(result->limits.sentence, sizeof result->limits.sentence, HOSTILE);
    for (int fault = 0; fault < FAULTS; fault++)
        load_fault_note(result->faults, fault, 10 + (uint64_t)fault, HOSTILE);
    result->intervals[WARM_UP + STALL].errors = 75;
}

void sample_closed_loop(struct load_result *result, unsigned intervals)
{
    assert_int_equal(load_result_open(result), 0);
    set_conditions(&result->conditions, "closed loop");
    set_limits(&result->limits);
    result->elapsed = intervals;
    for (unsigned second = 0; second < intervals; second++)
        fill_interval(result, add_interval(result, second, 1), 0);
}

void sample_nothing(struct load_result *result)
{
    assert_int_equal(load_result_open(result), 0);
}
