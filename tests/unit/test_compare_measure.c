#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare/report.h"
#include "load/result.h"

static struct exchange exchange = {.service = "echo", .reply = REPLY_BYTES};
static struct compare_plan plan;
static struct comparison comparison;

static int prepare(void **state)
{
    (void)state;
    plan = (struct compare_plan){.exchange = &exchange,
                                 .workloads = {{.connections = 8}, {.connections = 1, .churn = true}},
                                 .workload_count = 2,
                                 .duration = 1000,
                                 .rounds = 1,
                                 .size = 64,
                                 .depth = 1};
    comparison = (struct comparison){.plan = &plan};
    return 0;
}

static int finish(void **state)
{
    (void)state;
    comparison_close(&comparison);
    return 0;
}

static void add_models(const char *const *names)
{
    for (; *names; names++)
        assert_int_equal(comparison_add_model(&comparison, *names), 0);
}
#define MODELS(...) add_models((const char *const[]){__VA_ARGS__, NULL})

/* A second of `requests`, each taking as long as the next of 1 to 100 us. */
static void take(struct cell *cell, uint64_t requests, double cpu, uint64_t switches)
{
    struct load_result result;
    assert_int_equal(load_result_open(&result), 0);
    result.elapsed = 1;
    result.requests = requests;
    result.limits.server_cpu = cpu;
    result.limits.server_busy = cpu;
    result.limits.generator_busy = 0.5;
    for (uint64_t i = 0; i < requests; i++)
        histogram_record(&result.response, (i % 100 + 1) * 1000);
    assert_int_equal(cell_add(cell, &result, switches), 0);
    load_result_close(&result);
}

/* A model's set-up cost in us. */
static void set_cost(const char *model, double cost)
{
    for (size_t i = 0; i < comparison.count; i++)
        if (strcmp(comparison.candidates[i].name, model) == 0) {
            take(&comparison.candidates[i].cells[1], 1000, cost * 1e-6 * 1000, 0);
            cell_settle(&comparison.candidates[i].cells[1]);
        }
}

static bool is_close(double value, double expected)
{
    return fabs(value - expected) <= 0.001 * fabs(expected);
}
#define CLOSE(value, expected) assert_true(is_close(value, expected))

static void test_median(void **state)
{
    (void)state;
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, holes[] = {NAN, 7, NAN, 9, 8}, none[] = {NAN};
    CLOSE(median_of(odd, 3), 3);
    CLOSE(median_of(even, 4), 2.5);
    CLOSE(median_of(holes, 5), 8);
    assert_true(isnan(median_of(none, 1)));
    assert_true(isnan(median_of(none, 0)));
}

static void test_a_measurement_is_told_for_each_message(void **state)
{
    (void)state;
    MODELS("thread");
    struct cell *cell = &comparison.candidates[0].cells[0];
    take(cell, 1000, 0.005, 2500);
    cell_settle(cell);
    CLOSE(cell->median.values[MEASURE_RATE], 1000);
    CLOSE(cell->median.values[MEASURE_CPU], 5000);
    CLOSE(cell->median.values[MEASURE_P50], 50000);
    CLOSE(cell->median.values[MEASURE_P99], 99000);
    CLOSE(cell->median.values[MEASURE_SWITCHES], 2.5);
    assert_true(isnan(cell_spread(cell)));
}

/* A processor time that nobody looked at is no time of 0, which would be the best of all. */
static void test_a_server_that_was_not_seen_has_no_processor_time(void **state)
{
    (void)state;
    MODELS("thread");
    struct cell *cell = &comparison.candidates[0].cells[0];
    struct load_result result;
    assert_int_equal(load_result_open(&result), 0);
    result.elapsed = 1;
    result.requests = 1000;
    assert_int_equal(cell_add(cell, &result, 0), 0);
    load_result_close(&result);
    cell_settle(cell);
    assert_true(isnan(cell->median.values[MEASURE_CPU]));
}

static void test_rounds_become_medians_and_a_range(void **state)
{
    (void)state;
    MODELS("thread");
    struct cell *cell = &comparison.candidates[0].cells[0];
    take(cell, 100, 0.1, 0);
    take(cell, 400, 0.1, 0);
    take(cell, 200, 0.1, 0);
    cell_settle(cell);
    CLOSE(cell->median.values[MEASURE_RATE], 200);
    CLOSE(cell->least.values[MEASURE_RATE], 100);
    CLOSE(cell->most.values[MEASURE_RATE], 400);
    CLOSE(cell_spread(cell), 1.5);
    assert_int_equal(cell->latency.total, 700);
}

/* Switches of the whole life are shared out over all that was answered in it, the warm-up too. */
static void test_switches_are_those_of_all_that_was_answered(void **state)
{
    (void)state;
    MODELS("thread");
    struct load_result result;
    assert_int_equal(load_result_open(&result), 0);
    struct load_interval *interval = load_result_add_interval(&result);
    assert_non_null(interval);
    interval->start = -1;
    interval->requests = 100;
    assert_non_null(interval = load_result_add_interval(&result));
    interval->requests = result.requests = 250;
    result.replies_late = 50;
    result.elapsed = 1;
    assert_int_equal(cell_add(&comparison.candidates[0].cells[0], &result, 800), 0);
    load_result_close(&result);
    cell_settle(&comparison.candidates[0].cells[0]);
    CLOSE(comparison.candidates[0].cells[0].median.values[MEASURE_SWITCHES], 2);
}

static void test_what_is_not_known_stays_so(void **state)
{
    (void)state;
    MODELS("thread", "fork");
    take(&comparison.candidates[0].cells[0], 0, -1, 0);
    cell_settle(&comparison.candidates[0].cells[0]);
    const struct measurement *median = &comparison.candidates[0].cells[0].median;
    assert_true(isnan(median->values[MEASURE_CPU]));
    assert_true(isnan(median->values[MEASURE_P50]));
    assert_true(isnan(median->values[MEASURE_SERVER]));
    assert_null(comparison_best(&comparison, 0, MEASURE_CPU));
}

static void test_the_best_of_a_column(void **state)
{
    (void)state;
    MODELS("thread", "fork", "iterative");
    struct candidate *candidates = comparison.candidates;
    take(&candidates[0].cells[0], 1000, 0.02, 0);
    cell_settle(&candidates[0].cells[0]);
    assert_null(comparison_best(&comparison, 0, MEASURE_RATE)); /* alone */
    take(&candidates[1].cells[0], 500, 0.005, 0);
    cell_settle(&candidates[1].cells[0]);
    assert_ptr_equal(comparison_best(&comparison, 0, MEASURE_RATE), &candidates[0]);
    assert_ptr_equal(comparison_best(&comparison, 0, MEASURE_CPU), &candidates[1]);
    assert_null(comparison_best(&comparison, 0, MEASURE_GENERATOR)); /* neither more nor less is better */
    take(&candidates[2].cells[0], 9000, 0.005, 0);
    cell_settle(&candidates[2].cells[0]);
    assert_ptr_equal(comparison_best(&comparison, 0, MEASURE_RATE), &candidates[2]);
    candidates[2].cells[0].errors = 1; /* who answers wrongly wins nothing */
    assert_ptr_equal(comparison_best(&comparison, 0, MEASURE_RATE), &candidates[0]);
}

static void test_the_claim(void **state)
{
    (void)state;
    struct claim claim;
    char text[CLAIM_ROOM];
    MODELS("fork", "thread", "iterative");
    assert_false(comparison_claim(&comparison, &claim));
    set_cost("fork+blocking", 250);
    set_cost("thread+blocking", 50);
    assert_false(comparison_claim(&comparison, &claim));
    set_cost("iterative+blocking", 30);
    assert_true(comparison_claim(&comparison, &claim));
    assert_string_equal(claim.poller, "blocking");
    CLOSE(claim.fork, 250000);
    CLOSE(claim.ratio, 5);
    CLOSE(claim.ratio_over, 11);
    claim_text(&claim, text);
    assert_non_null(strstr(text, "5.0 times as dear"));
    assert_non_null(strstr(text, "11.0 times, where the textbooks say about 30"));
}

/* A difference that no clock can see is not divided by. */
static void test_a_claim_without_a_difference(void **state)
{
    (void)state;
    struct claim claim;
    char text[CLAIM_ROOM];
    MODELS("fork+epoll", "thread+epoll", "iterative+epoll");
    set_cost("fork+epoll", 250);
    set_cost("thread+epoll", 30);
    set_cost("iterative+epoll", 30);
    assert_true(comparison_claim(&comparison, &claim));
    assert_string_equal(claim.poller, "epoll");
    assert_true(isnan(claim.ratio_over));
    assert_non_null(strstr(claim_text(&claim, text), "too little"));
}

static void test_words_for_the_generator_and_gaps(void **state)
{
    (void)state;
    char text[WORDING];
    MODELS("thread", "iterative", "prethread+blocking");
    struct candidate *candidates = comparison.candidates;
    take(&candidates[0].cells[0], 10, 0, 0);
    cell_settle(&candidates[0].cells[0]);
    assert_null(bound_text(&comparison, 0, text));
    candidates[0].cells[0].median.values[MEASURE_GENERATOR] = 0.99;
    assert_string_equal(bound_text(&comparison, 0, text), "thread+blocking");
    assert_null(gap_text(&comparison, &candidates[0], 0, text));
    assert_string_equal(gap_text(&comparison, &candidates[1], 0, text), "serves one client at a time");
    snprintf(candidates[2].reason, REASON, "cannot be");
    candidates[2].refused = true;
    assert_string_equal(gap_text(&comparison, &candidates[2], 0, text), "refused: cannot be");
    assert_string_equal(candidate_status(&comparison, &candidates[2]), "refused");
    assert_string_equal(candidate_status(&comparison, &candidates[1]), "incomplete");
    assert_true(comparison_failed(&comparison));
    plan.may_refuse = true;
    assert_false(comparison_failed(&comparison));
}

static void test_words_for_processors(void **state)
{
    (void)state;
    char text[WORDING];
    assert_string_equal(processors_text(&(struct processors){.count = 0}, text), "any");
    assert_string_equal(processors_text(&(struct processors){{3}, 1}, text), "3");
    assert_string_equal(processors_text(&(struct processors){{0, 1, 2, 5, 7, 8}, 6}, text), "0-2,5,7-8");
}

#define MEASURE_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEASURE_TEST(test_median),
        MEASURE_TEST(test_a_measurement_is_told_for_each_message),
        MEASURE_TEST(test_a_server_that_was_not_seen_has_no_processor_time),
        MEASURE_TEST(test_rounds_become_medians_and_a_range),
        MEASURE_TEST(test_switches_are_those_of_all_that_was_answered),
        MEASURE_TEST(test_what_is_not_known_stays_so),
        MEASURE_TEST(test_the_best_of_a_column),
        MEASURE_TEST(test_the_claim),
        MEASURE_TEST(test_a_claim_without_a_difference),
        MEASURE_TEST(test_words_for_the_generator_and_gaps),
        MEASURE_TEST(test_words_for_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
