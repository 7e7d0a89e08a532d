#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/histogram.h"
#include "recorded.h"

/* Every counter begins where the one before ends, and its bounds belong to it. */
static void counters_cover_every_value(void **state)
{
    (void)state;
    assert_int_equal(histogram_lowest(0), 0);
    for (uint32_t i = 0; i < HISTOGRAM_COUNTERS; i++) {
        assert_int_equal(histogram_index(histogram_lowest(i)), i);
        assert_int_equal(histogram_index(histogram_highest(i)), i);
        assert_int_equal(histogram_lowest(i + 1), histogram_highest(i) + 1);
    }
    assert_true(histogram_index(HISTOGRAM_MOST) < HISTOGRAM_COUNTERS);
}

static void counters_keep_three_digits(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < HISTOGRAM_COUNTERS; i++) {
        uint64_t lowest = histogram_lowest(i), size = histogram_highest(i) + 1 - lowest;
        if (size > 1 && size * 1000 > lowest)
            fail_msg("counter %u is %llu wide at %llu", i, (unsigned long long)size,
                     (unsigned long long)lowest);
    }
}

static void nothing_recorded_is_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_at(&recorded, 50), 0);
    assert_true(histogram_mean(&recorded) == 0 && histogram_deviation(&recorded) == 0);
    assert_int_equal(recorded.least, UINT64_MAX);
}

static void percentiles_are_ranks(void **state)
{
    (void)state;
    for (uint64_t value = 1; value <= 1000; value++)
        histogram_record(&recorded, value);
    assert_int_equal(histogram_at(&recorded, 0), 1);
    assert_int_equal(histogram_at(&recorded, 0.1), 1);
    assert_int_equal(histogram_at(&recorded, 50), 500);
    assert_int_equal(histogram_at(&recorded, 99), 990);
    assert_int_equal(histogram_at(&recorded, 99.9), 999);
    assert_int_equal(histogram_at(&recorded, 99.99), 1000);
    assert_int_equal(histogram_at(&recorded, 100), 1000);
}

/* No percentile exceeds what was recorded, though its counter ends later. */
static void percentiles_stay_within_what_was_recorded(void **state)
{
    (void)state;
    histogram_record(&recorded, 1000000000);
    assert_true(histogram_highest(histogram_index(1000000000)) > 1000000000);
    assert_int_equal(histogram_at(&recorded, 50), 1000000000);
}

static void what_is_larger_counts_as_the_largest(void **state)
{
    (void)state;
    histogram_record(&recorded, UINT64_MAX);
    assert_int_equal(recorded.most, HISTOGRAM_MOST);
    assert_int_equal(histogram_at(&recorded, 50), HISTOGRAM_MOST);
}

/* Small values have a counter each, so mean and deviation are exact. */
static void mean_and_deviation_of_small_values_are_exact(void **state)
{
    (void)state;
    histogram_record_many(&recorded, 100, 2);
    histogram_record_many(&recorded, 300, 2);
    assert_true(histogram_mean(&recorded) == 200);
    assert_true(histogram_deviation(&recorded) == 100);
}

static void adding_is_recording_both(void **state)
{
    struct histogram other;
    (void)state;
    assert_int_equal(histogram_open(&other), 0);
    histogram_record_many(&recorded, 5000, 3);
    histogram_record(&other, 7);
    histogram_record_many(&other, 900000000, 2);
    histogram_add(&recorded, &other);
    assert_int_equal(recorded.total, 6);
    assert_int_equal(recorded.least, 7);
    assert_int_equal(recorded.most, 900000000);
    assert_int_equal(recorded.counts[histogram_index(5000)], 3);
    assert_int_equal(recorded.counts[histogram_index(900000000)], 2);
    histogram_close(&other);
}

static void adding_nothing_changes_nothing(void **state)
{
    struct histogram other;
    (void)state;
    assert_int_equal(histogram_open(&other), 0);
    histogram_record(&recorded, 42);
    histogram_add(&recorded, &other);
    assert_int_equal(recorded.total, 1);
    assert_int_equal(recorded.least, 42);
    assert_int_equal(recorded.most, 42);
    histogram_close(&other);
}

static void a_cleared_one_is_a_new_one(void **state)
{
    static const uint64_t zeros[HISTOGRAM_COUNTERS];
    (void)state;
    histogram_record(&recorded, 0);
    histogram_record(&recorded, HISTOGRAM_MOST);
    histogram_clear(&recorded);
    assert_memory_equal(recorded.counts, zeros, sizeof zeros);
    assert_int_equal(recorded.total, 0);
    assert_int_equal(recorded.most, 0);
    assert_int_equal(recorded.least, UINT64_MAX);
}

#define WITH_ONE(test) cmocka_unit_test_setup_teardown(test, open_recorded, close_recorded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_cover_every_value),
        cmocka_unit_test(counters_keep_three_digits),
        WITH_ONE(nothing_recorded_is_zero),
        WITH_ONE(percentiles_are_ranks),
        WITH_ONE(percentiles_stay_within_what_was_recorded),
        WITH_ONE(what_is_larger_counts_as_the_largest),
        WITH_ONE(mean_and_deviation_of_small_values_are_exact),
        WITH_ONE(adding_is_recording_both),
        WITH_ONE(adding_nothing_changes_nothing),
        WITH_ONE(a_cleared_one_is_a_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
