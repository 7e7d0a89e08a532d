/* What generators count, handed over interval by interval, must add up to the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/clock.h"
#include "load/tally.h"

enum { GENERATORS = 2, DURATION = 3000 /* ms */ };

static struct load_result result;
static struct ledger ledger;
static struct tally tallies[GENERATORS];

static void open_all(int64_t lead)
{
    assert_int_equal(load_result_open(&result), 0);
    assert_int_equal(ledger_open(&ledger, &result, GENERATORS, lead, DURATION), 0);
    for (int i = 0; i < GENERATORS; i++)
        assert_int_equal(tally_open(&tallies[i]), 0);
}

static int prepare(void **state)
{
    (void)state;
    open_all(0);
    return 0;
}

static int prepare_with_warmup(void **state)
{
    (void)state;
    open_all(1500);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    for (int i = 0; i < GENERATORS; i++)
        tally_close(&tallies[i]);
    ledger_close(&ledger);
    load_result_close(&result);
    return 0;
}

static void count(struct tally *tally, unsigned requests, int64_t latency)
{
    tally->requests += requests;
    tally->errors++;
    tally->bytes_in += requests * 10;
    tally->bytes_out += requests * 20;
    histogram_record_many(&tally->recent, (uint64_t)latency, requests);
}

static void an_interval_is_the_sum_of_the_generators(void **state)
{
    (void)state;
    count(&tallies[0], 100, NS_PER_MS);
    count(&tallies[1], 30, 5 * NS_PER_MS);
    ledger_hand_over(&ledger, 0, &tallies[0], 7);
    assert_int_equal(ledger.handed_over[0], 1);
    ledger_hand_over(&ledger, 0, &tallies[1], 3);
    assert_int_equal(ledger.handed_over[0], GENERATORS);
    const struct load_interval *interval = result.intervals;
    assert_int_equal(result.interval_count, 1);
    assert_int_equal(interval->requests, 130);
    assert_int_equal(interval->errors, 2);
    assert_int_equal(interval->bytes_in, 1300);
    assert_int_equal(interval->bytes_out, 2600);
    assert_int_equal(interval->open, 10);
    assert_int_equal(interval->response.total, 130);
    assert_int_equal(interval->response.most, 5 * NS_PER_MS);
}

/* What was handed over is not handed over again. */
static void the_next_interval_begins_at_nothing(void **state)
{
    (void)state;
    count(&tallies[0], 100, NS_PER_MS);
    ledger_hand_over(&ledger, 0, &tallies[0], 1);
    ledger_hand_over(&ledger, 1, &tallies[0], 1);
    count(&tallies[0], 5, NS_PER_MS);
    ledger_hand_over(&ledger, 1, &tallies[0], 0);
    assert_int_equal(result.intervals[1].requests, 5);
    assert_int_equal(result.intervals[1].response.total, 5);
    assert_int_equal(result.requests, 105);
    assert_int_equal(result.bytes_in, 1050);
    assert_int_equal(result.bytes_out, 2100);
    assert_int_equal(tallies[0].response.total, 105);
}

/* A generator that is ahead makes the intervals between; their places in time are right. */
static void intervals_that_a_stall_has_swallowed_exist(void **state)
{
    (void)state;
    count(&tallies[0], 1, NS_PER_MS);
    ledger_hand_over(&ledger, 40, &tallies[0], 1);
    assert_int_equal(result.interval_count, 41);
    for (int i = 0; i < 41; i++) {
        assert_float_equal(result.intervals[i].start, i, 1e-9);
        assert_float_equal(result.intervals[i].length, 1, 1e-9);
        assert_int_equal(result.intervals[i].requests, i == 40);
    }
}

/* They end where the window begins, are shown, and add to nothing. */
static void intervals_before_the_window_are_the_warm_up(void **state)
{
    static const struct {
        double start, length;
    } places[] = {{-1.5, 0.5}, {-1, 1}, {0, 1}, {1, 1}, {2, 1}};
    struct tally *tally = &tallies[0];
    (void)state;
    assert_int_equal(ledger_intervals(&ledger), 5);
    assert_int_equal(ledger_interval_end(&ledger, 1), 0);
    tally->early_requests = 7;
    histogram_record_many(&tally->early, NS_PER_MS, 7);
    count(tally, 2, 9 * NS_PER_MS); /* answered in the window before the warm-up was handed over */
    ledger_hand_over(&ledger, 1, tally, 3);
    ledger_hand_over(&ledger, 4, tally, 3);
    for (int i = 0; i < 5; i++) {
        assert_float_equal(result.intervals[i].start, places[i].start, 1e-9);
        assert_float_equal(result.intervals[i].length, places[i].length, 1e-9);
    }
    assert_int_equal(result.intervals[1].requests, 7);
    assert_int_equal(result.intervals[1].response.most, NS_PER_MS);
    assert_int_equal(result.intervals[4].requests, 2);
    assert_int_equal(result.requests, 2);
    assert_int_equal(result.bytes_in, 0);
    assert_int_equal(tally->response.total, 2);
}

static void what_the_run_counted_goes_into_the_result(void **state)
{
    (void)state;
    for (int i = 0; i < GENERATORS; i++) {
        struct tally *tally = &tallies[i];
        count(tally, 10, NS_PER_MS);
        tally->late = 2;
        tally->connects = 3;
        tally->resumed = 2;
        result.resumed = result.resumed < 0 ? 0 : result.resumed;
        tally->intended = 4;
        histogram_record(&tally->service, 1);
        histogram_record(&tally->connect, 2);
        histogram_record(&tally->first_byte, 3);
        histogram_record(&tally->lag, 4);
        load_fault_note(tally->faults, FAULT_RESET, 5, i == 0 ? "the first" : "the second");
        ledger_hand_over(&ledger, 0, tally, 1);
        ledger_settle(&ledger, tally);
    }
    assert_int_equal(result.requests, 20);
    assert_int_equal(result.replies_late, 4);
    assert_int_equal(result.connects, 6);
    assert_int_equal(result.resumed, 4);
    assert_int_equal(result.intended, 8);
    assert_int_equal(result.response.total, 20);
    assert_int_equal(result.service.total, 2);
    assert_int_equal(result.connect.total, 2);
    assert_int_equal(result.first_byte.total, 2);
    assert_int_equal(result.lag.total, 2);
    assert_int_equal(result.faults[FAULT_RESET].count, 10);
    assert_string_equal(result.faults[FAULT_RESET].first, "the first");
    assert_int_equal(load_errors(&result), 10);
}

/* The sentence of a fault in the warm-up is kept, its number is not. */
static void a_fault_may_have_words_alone(void **state)
{
    (void)state;
    load_fault_note(tallies[0].faults, FAULT_CONNECT, 0, "early");
    load_fault_note(tallies[0].faults, FAULT_CONNECT, 2, "later");
    ledger_settle(&ledger, &tallies[0]);
    assert_int_equal(result.faults[FAULT_CONNECT].count, 2);
    assert_string_equal(result.faults[FAULT_CONNECT].first, "early");
}

static void a_long_sentence_is_cut(void **state)
{
    char sentence[1000];
    (void)state;
    memset(sentence, 'x', sizeof sentence - 1);
    sentence[sizeof sentence - 1] = '\0';
    load_fault_note(result.faults, FAULT_LOCAL, 1, sentence);
    assert_int_equal(strlen(result.faults[FAULT_LOCAL].first), sizeof result.faults[0].first - 1);
}

static void the_rate_of_nothing_is_nothing(void **state)
{
    (void)state;
    assert_float_equal(load_rate(&result), 0, 0);
    result.requests = 30;
    result.elapsed = 1.5;
    assert_float_equal(load_rate(&result), 20, 1e-9);
}

#define TALLY_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TALLY_TEST(an_interval_is_the_sum_of_the_generators),
        TALLY_TEST(the_next_interval_begins_at_nothing),
        TALLY_TEST(intervals_that_a_stall_has_swallowed_exist),
        cmocka_unit_test_setup_teardown(intervals_before_the_window_are_the_warm_up, prepare_with_warmup,
                                        finish),
        TALLY_TEST(what_the_run_counted_goes_into_the_result),
        TALLY_TEST(a_fault_may_have_words_alone),
        TALLY_TEST(a_long_sentence_is_cut),
        TALLY_TEST(the_rate_of_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
