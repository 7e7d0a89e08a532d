/* What is told of a load while it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above it */
#include <cmocka.h>

#include "load/tally.h"

static struct load_result result;
static struct ledger ledger;
static struct tally tallies[2];

static void begin(int64_t duration_ms)
{
    assert_int_equal(load_result_open(&result), 0);
    assert_int_equal(ledger_open(&ledger, &result, 2, 0, duration_ms), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tally_open(&tallies[i]), 0);
}

static void end(void)
{
    for (int i = 0; i < 2; i++)
        tally_close(&tallies[i]);
    ledger_close(&ledger);
    load_result_close(&result);
}

static void count_error(struct tally *tally, const char *sentence)
{
    load_fault_note(tally->faults, FAULT_RESET, 1, sentence);
    tally->errors++;
}

static void test_errors_are_told_while_it_runs(void **state)
{
    (void)state;
    begin(3000);
    count_error(&tallies[0], "the first");
    count_error(&tallies[0], "the second");
    count_error(&tallies[1], "another");
    ledger_hand_over(&ledger, 0, &tallies[0], 1);
    assert_int_equal(load_errors(&result), 2);
    ledger_hand_over(&ledger, 0, &tallies[1], 1);
    assert_int_equal(load_errors(&result), 3);
    assert_int_equal(result.intervals[0].errors, 3);
    assert_string_equal(result.faults[FAULT_RESET].first, "the first");
    end();
}

static void test_errors_are_counted_once(void **state)
{
    (void)state;
    begin(3000);
    for (size_t second = 0; second < 3; second++) {
        count_error(&tallies[0], "again");
        ledger_hand_over(&ledger, second, &tallies[0], 1);
    }
    count_error(&tallies[0], "after the last");
    ledger_settle(&ledger, &tallies[0]);
    assert_int_equal(load_errors(&result), 4);
    end();
}

static void assert_interval(size_t index, double start, double length)
{
    assert_true(result.intervals[index].start == start);
    assert_true(result.intervals[index].length == length);
}

static void test_the_last_interval_is_as_long_as_it_lasts(void **state)
{
    (void)state;
    begin(2500);
    ledger_hand_over(&ledger, 2, &tallies[0], 1);
    assert_int_equal(result.interval_count, 3);
    assert_interval(0, 0, 1);
    assert_interval(1, 1, 1);
    assert_interval(2, 2, 0.5);
    end();
}

static void test_intervals_of_a_long_run_are_longer(void **state)
{
    (void)state;
    begin(7201 * 1000);
    assert_int_equal(ledger_intervals(&ledger), 3601);
    ledger_hand_over(&ledger, 3600, &tallies[0], 1);
    assert_interval(1, 2, 2);
    assert_interval(3600, 7200, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_told_while_it_runs),
        cmocka_unit_test(test_errors_are_counted_once),
        cmocka_unit_test(test_the_last_interval_is_as_long_as_it_lasts),
        cmocka_unit_test(test_intervals_of_a_long_run_are_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
