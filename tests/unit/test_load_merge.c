#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <parley.h>

#include "report/json.h"
#include "load/merge.h"
#include "load/surroundings.h"
#include "loaded.h"

static struct load_result one, other;

static void rename_host(struct load_result *result, const char *name)
{
    free(result->conditions.host);
    result->conditions.host = strdup(name);
}

static void set_mode(struct load_result *result, const char *kind, double rate)
{
    free(result->conditions.mode);
    result->conditions.rate = rate;
    result->conditions.mode = load_mode(kind, rate, result->conditions.depth);
}

static int open_both(void **state)
{
    (void)state;
    load_by_hand(&one);
    load_by_hand(&other);
    rename_host(&other, "beta");
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    load_result_close(&one);
    load_result_close(&other);
    return 0;
}

static void merged(void)
{
    if (load_merge(&one, &other) != 0)
        fail_msg("%s", parley_error());
}

/* ---- sums ---- */

static void counts_and_histograms_add(void **state)
{
    (void)state;
    other.connects = 7;
    other.resumed = 5;
    other.bytes_in = 8;
    merged();
    assert_int_equal(one.requests, 6000);
    assert_int_equal(one.intended, 6000);
    assert_int_equal(one.bytes_in, 192008);
    assert_int_equal(one.connects, 7);
    assert_int_equal(one.resumed, 5);
    assert_int_equal(one.open_least, 96);
    assert_int_equal(one.open_most, 100);
    assert_int_equal(load_errors(&one), 30);
    assert_int_equal(one.faults[FAULT_RESET].count, 24);
    assert_int_equal(one.response.total, 6000);
    assert_int_equal(one.lag.total, 6000);
    assert_true(one.valid);
    merged();
    assert_int_equal(one.resumed, 10);
    other.resumed = -1;
    merged();
    assert_int_equal(one.resumed, 10);
}

/* Both ran for 3 s, so 1000/s and 1000/s make 2000/s; of one that ran shorter, its requests in that time. */
static void rates_add(void **state)
{
    (void)state;
    merged();
    assert_true(load_rate(&one) == 2000);
    other.elapsed = 1.5;
    other.requests = 1500;
    merged();
    assert_true(one.elapsed == 3);
    assert_true(load_rate(&one) == 2500);
}

static void seconds_are_aligned(void **state)
{
    (void)state;
    /* Its warm-up was one second longer, its run one shorter. */
    for (size_t i = 0; i < other.interval_count; i++)
        other.intervals[i].start -= 1;
    other.intervals[3].length = 0.5;
    merged();
    assert_int_equal(one.interval_count, 5);
    for (size_t i = 0; i < 5; i++) {
        bool of_both = i > 0 && i < 4;
        assert_true(one.intervals[i].start == (double)i - 2);
        assert_true(one.intervals[i].length == 1);
        assert_int_equal(one.intervals[i].requests, of_both ? 2000 : 1000);
        assert_int_equal(one.intervals[i].open, of_both ? 100 : 50);
        assert_int_equal(one.intervals[i].response.total, of_both ? 2000 : 1000);
    }
}

static void intervals_come_to_one_that_has_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < one.interval_count; i++)
        histogram_close(&one.intervals[i].response);
    one.interval_count = 0;
    merged();
    assert_int_equal(one.interval_count, 4);
    assert_int_equal(one.intervals[3].errors, 15);
    for (size_t i = 0; i < other.interval_count; i++)
        histogram_close(&other.intervals[i].response);
    other.interval_count = 0;
    merged();
    assert_int_equal(one.interval_count, 4);
}

static void conditions_stand_beside_each_other(void **state)
{
    (void)state;
    free(other.conditions.kernel);
    other.conditions.kernel = strdup("Linux 7.0.0 x86_64");
    other.conditions.message_size = 128;
    merged();
    merged();
    assert_string_equal(one.conditions.host, "alpha, beta");
    assert_string_equal(one.conditions.kernel, "Linux 6.18.0 x86_64, Linux 7.0.0 x86_64");
    assert_string_equal(one.conditions.target, "127.0.0.1:3000");
    assert_string_equal(one.conditions.mode, "open loop at 3 k/s");
    assert_int_equal(one.conditions.generators, 3);
    assert_int_equal(one.conditions.connections, 150);
    /* alpha's and beta's, whose second generator ran on the same. */
    assert_int_equal(one.conditions.processors, 8);
    assert_int_equal(one.conditions.message_size, 0);
    assert_int_equal(one.conditions.reply_size, 64);
    assert_true(one.conditions.rate == 3000 && one.conditions.duration == 3);
}

static void a_host_whose_name_is_part_of_another_is_another(void **state)
{
    (void)state;
    rename_host(&one, "beta2");
    merged();
    assert_string_equal(one.conditions.host, "beta2, beta");
}

/* The server is seen by the generator on its machine; the busiest generator is the one that may be the limit.
 */
static void limits_are_those_of_the_one_who_knows(void **state)
{
    (void)state;
    one.limits = (struct load_limits){0.25, 1, -1, -1, 0, -1, "idle", 0};
    other.limits = (struct load_limits){0.99, 2, 0.5, 1.5, 3, 0.1, "busy", 0};
    merged();
    assert_true(one.limits.generator_busy == 0.99 && one.limits.generator_cpu == 3);
    assert_true(one.limits.server_busy == 0.5 && one.limits.server_cpu == 1.5);
    assert_int_equal(one.limits.server_processes, 3);
    assert_true(one.limits.machine_idle == 0.1);
    assert_string_equal(one.limits.sentence, "busy");
}

/* ---- what cannot be added ---- */

static void the_whole_is_valid_if_each_was(void **state)
{
    (void)state;
    other.valid = false;
    snprintf(other.invalid, sizeof other.invalid, "it was late");
    merged();
    assert_false(one.valid);
    assert_string_equal(one.invalid, "beta: it was late");
}

static void runs_at_different_times_are_invalid(void **state)
{
    (void)state;
    other.since += 1.4;
    merged();
    assert_true(one.valid);
    assert_true(one.since == 1763716000.25);
    other.since += 60;
    merged();
    assert_false(one.valid);
    assert_string_equal(one.invalid,
                        "beta: it did not run at the same time as the others: its window began 61 s "
                        "after theirs, so rates do not add (do the clocks agree?)");
    assert_int_equal(one.requests, 9000);
}

static void different_kinds_are_refused(void **state)
{
    static const struct {
        const char *kind;
        double rate;
    } rows[] = {{"closed loop", 0}, {"churn", 1000}, {"churn", 0}, {"open loop", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_mode(&other, rows[i].kind, rows[i].rate);
        assert_int_equal(load_merge(&one, &other), PARLEY_USAGE);
        assert_int_equal(one.requests, 3000);
        assert_int_equal(one.response.total, 3000);
        assert_int_equal(one.conditions.generators, 1);
    }
    set_mode(&other, "closed loop", 0);
    assert_int_equal(load_merge(&one, &other), PARLEY_USAGE);
    assert_string_equal(parley_error(),
                        "\"open loop at 1 k/s\" and \"closed loop\" are different kinds of load: "
                        "their latencies do not add up");
}

static void an_interruption_is_kept(void **state)
{
    (void)state;
    other.interrupted = SIGTERM;
    merged();
    assert_int_equal(one.interrupted, SIGTERM);
}

static void what_is_merged_can_be_written(void **state)
{
    (void)state;
    merged();
    char *text = printed_of(load_json_write, &one);
    assert_says(text, "\"generators\": 2");
    assert_says(text, "\"rate\": 2000.0");
    free(text);
}

/* ---- words ---- */

static void modes_are_words(void **state)
{
    static const struct {
        const char *kind;
        double rate;
        unsigned depth;
        const char *words;
    } rows[] = {
        {"closed loop", 0, 1, "closed loop"},
        {"closed loop", 0, 32, "closed loop, depth 32"},
        {"open loop", 50000, 1, "open loop at 50 k/s"},
        {"open loop", 12345, 4, "open loop at 12.345 k/s, depth 4"},
        {"open loop", 2500000, 0, "open loop at 2.5 M/s"},
        {"churn", 0.5, 1, "churn at 0.5/s"},
        {"churn", 0, 1, "churn"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *words = load_mode(rows[i].kind, rows[i].rate, rows[i].depth);
        assert_string_equal(words, rows[i].words);
        free(words);
    }
}

static void the_surroundings_are_known(void **state)
{
    const struct load_plan plan = {.address = "127.0.0.1:3000",
                                   .connections = 100,
                                   .threads = 2,
                                   .depth = 8,
                                   .duration = 10000,
                                   .warmup = 500,
                                   .size = 64,
                                   .reply_size = 64,
                                   .command_line = "parley load 127.0.0.1:3000"};
    struct load_result result;
    (void)state;
    assert_int_equal(load_result_open(&result), 0);
    assert_int_equal(load_conditions_fill(&result.conditions, &plan), 0);
    assert_string_equal(result.conditions.target, "127.0.0.1:3000");
    assert_string_equal(result.conditions.command_line, "parley load 127.0.0.1:3000");
    assert_string_equal(result.conditions.mode, "closed loop, depth 8");
    assert_string_equal(result.conditions.version, parley_version());
    assert_int_equal(strncmp(result.conditions.kernel, "Linux ", 6), 0);
    assert_true(*result.conditions.host && result.conditions.processors > 0);
    assert_true(result.conditions.duration == 10 && result.conditions.warmup == 0.5);
    load_result_close(&result);
}

#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(counts_and_histograms_add),
        WITH_BOTH(rates_add),
        WITH_BOTH(seconds_are_aligned),
        WITH_BOTH(intervals_come_to_one_that_has_none),
        WITH_BOTH(conditions_stand_beside_each_other),
        WITH_BOTH(a_host_whose_name_is_part_of_another_is_another),
        WITH_BOTH(limits_are_those_of_the_one_who_knows),
        WITH_BOTH(the_whole_is_valid_if_each_was),
        WITH_BOTH(runs_at_different_times_are_invalid),
        WITH_BOTH(different_kinds_are_refused),
        WITH_BOTH(an_interruption_is_kept),
        WITH_BOTH(what_is_merged_can_be_written),
        cmocka_unit_test(modes_are_words),
        cmocka_unit_test(the_surroundings_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
