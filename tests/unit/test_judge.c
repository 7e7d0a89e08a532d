/* Which results are believed, and who is said to have been the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/clock.h"
#include "load/judge.h"

static struct load_result result;
static struct load_plan plan;

/* A run of 10 s at 1000/s that kept its schedule, answered within 2 ms, or within 20 ms one in fifty. */
static int prepare(void **state)
{
    (void)state;
    plan = (struct load_plan){.connections = 10, .threads = 1, .depth = 1, .rate = 1000, .duration = 10000};
    assert_int_equal(load_result_open(&result), 0);
    result.elapsed = 10;
    result.requests = result.intended = 10000;
    histogram_record_many(&result.response, 2 * NS_PER_MS, 9800);
    histogram_record_many(&result.response, 20 * NS_PER_MS, 200);
    result.limits.generator_busy = 0.3;
    result.limits.server_busy = 0.4;
    result.limits.machine_idle = 0.5;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    load_result_close(&result);
    return 0;
}

static void lag(int64_t ns, uint64_t count)
{
    histogram_record_many(&result.lag, (uint64_t)ns, count);
}

static void judge(void)
{
    load_judge(&result, &plan);
}

static void refused(const char *part)
{
    judge();
    assert_false(result.valid);
    if (!strstr(result.invalid, part))
        fail_msg("\"%s\" is not in \"%s\"", part, result.invalid);
}

static void believed(void)
{
    judge();
    if (!result.valid)
        fail_msg("not believed: %s", result.invalid);
}

/* ---- validity ---- */

static void one_that_kept_its_schedule_is_believed(void **state)
{
    (void)state;
    lag(50 * NS_PER_US, 10000);
    believed();
}

/* A timer is some tens of µs late on any machine, whatever the server answers in. */
static void what_a_timer_costs_is_no_reason(void **state)
{
    (void)state;
    histogram_clear(&result.response);
    histogram_record_many(&result.response, 110 * NS_PER_US, 10000);
    lag(90 * NS_PER_US, 10000);
    believed();
}

static void lateness_in_the_middle_is_a_reason(void **state)
{
    (void)state;
    lag(3 * NS_PER_MS / 2, 10000);
    refused("sent late by the generator itself: at p50 1.50 ms of the 2.00 ms it reports");
}

static void lateness_at_the_far_end_is_a_reason(void **state)
{
    (void)state;
    lag(10 * NS_PER_US, 9800);
    lag(15 * NS_PER_MS, 200);
    refused("at p99 15.0 ms of the 20.0 ms it reports");
}

static void lateness_of_one_in_five_hundred_is_a_reason(void **state)
{
    (void)state;
    histogram_record_many(&result.response, NS_PER_SECOND, 20);
    lag(10 * NS_PER_US, 9980);
    lag(NS_PER_SECOND - NS_PER_MS, 20);
    refused("at p99.9 999 ms of the 1.00 s it reports");
}

/* Then these are not in what was answered. */
static void requests_that_were_never_sent_are_told_beside(void **state)
{
    (void)state;
    lag(0, 4000);
    lag(2 * (int64_t)NS_PER_SECOND, 6000);
    refused("by the generator itself, or not at all: at p50 2.00 s beside the 2.00 ms it reports");
}

static void lateness_that_is_small_beside_the_answers_is_none(void **state)
{
    (void)state;
    lag(NS_PER_MS / 2, 9800);
    lag(9 * NS_PER_MS, 200);
    believed();
}

static void slots_that_were_left_out_are_a_reason(void **state)
{
    (void)state;
    result.intended = 4000;
    refused("the generator kept 40 % of its schedule: 400/s instead of 1.00 k/s");
}

static void the_last_slot_may_be_missing(void **state)
{
    (void)state;
    plan.rate = 2;
    result.elapsed = 1;
    result.intended = 1;
    believed();
}

/* A server that is slow, or gone, is not the generator's fault. */
static void requests_without_answer_are_no_reason(void **state)
{
    (void)state;
    result.requests = 0;
    histogram_clear(&result.response);
    load_fault_note(result.faults, FAULT_UNANSWERED, 10000, "none");
    believed();
}

static void one_that_was_interrupted_is_judged_by_its_lateness_alone(void **state)
{
    (void)state;
    result.interrupted = 2;
    result.intended = 9000;
    believed();
    lag(NS_PER_SECOND, 9000);
    refused("sent late");
}

static void a_closed_loop_has_no_schedule_to_keep(void **state)
{
    (void)state;
    plan.rate = 0;
    result.intended = 0;
    result.limits.generator_busy = 1;
    believed();
}

/* ---- who was the limit ---- */

static void said(const char *part)
{
    judge();
    if (!strstr(result.limits.sentence, part))
        fail_msg("\"%s\" is not in \"%s\"", part, result.limits.sentence);
}

static void a_busy_generator_is_named(void **state)
{
    (void)state;
    plan.rate = 0;
    result.limits.generator_busy = 0.99;
    said("the generator was the limit (-t adds threads)");
    said("the generator's busiest thread was 99% busy, the server used 0.40 processors");
}

static void a_busy_server_is_named(void **state)
{
    (void)state;
    plan.rate = 0;
    result.limits.server_busy = 0.97;
    said("the server was the limit");
}

static void a_full_machine_is_named(void **state)
{
    (void)state;
    plan.rate = 0;
    result.limits.machine_idle = 0.01;
    said("this machine was the limit: no processor was free");
}

/* Others took the processors, and nobody here wanted one: the server took its time. */
static void a_machine_that_others_fill_is_no_limit_to_who_rests(void **state)
{
    (void)state;
    plan.rate = 0;
    result.limits.machine_idle = 0;
    result.limits.generator_busy = result.limits.server_busy = 0.01;
    said("neither was the limit");
}

static void where_both_rest_the_round_trips_are_named(void **state)
{
    (void)state;
    plan.rate = 0;
    said("neither was the limit");
}

static void a_generator_that_stood_still_is_told(void **state)
{
    (void)state;
    plan.rate = 0;
    result.limits.stood_still = 0.012;
    judge();
    assert_non_null(strstr(result.limits.sentence,
                           "; the generator itself stood still for 12.0 ms, and the max is 20.0 ms"));
    for (int i = 0; i < 2; i++) { /* less than others took; while nobody waited */
        result.limits.stood_still = i == 0 ? 0.009 : 0.021;
        judge();
        assert_null(strstr(result.limits.sentence, "stood still"));
    }
}

static void a_server_elsewhere_is_not_guessed_at(void **state)
{
    (void)state;
    plan.rate = 0;
    result.limits.server_busy = -1;
    result.limits.machine_idle = -1;
    said("neither was the limit");
    said("the server cannot be seen from here");
}

/* Too rare to make the run invalid, but nobody is to take it for the server's. */
static void a_tail_that_is_our_own_is_told(void **state)
{
    (void)state;
    lag(10 * NS_PER_US, 9970);
    lag(NS_PER_MS, 29);
    lag(15 * NS_PER_MS, 1);
    believed();
    said("; the max is mostly the generator's own lag, 15.0 ms of 20.0 ms");
    histogram_clear(&result.response);
    histogram_record_many(&result.response, 60 * NS_PER_US, 9970);
    histogram_record_many(&result.response, 3 * NS_PER_MS / 2, 29);
    histogram_record_many(&result.response, 16 * NS_PER_MS, 1);
    believed();
    said("; from p99.9 on times are mostly the generator's own lag, 15.0 ms of the max 16.0 ms");
}

static void where_nothing_was_answered_no_time_is_lag(void **state)
{
    (void)state;
    histogram_clear(&result.response);
    lag(15 * NS_PER_MS, 10000);
    believed();
    assert_null(strstr(result.limits.sentence, "lag"));
}

static void what_would_help_against_lateness_is_told(void **state)
{
    (void)state;
    lag(3 * NS_PER_MS / 2, 10000);
    result.limits.machine_idle = 0.01;
    refused("of the 2.00 ms it reports (no processor was free for it)");
    result.limits.generator_busy = 0.99;
    refused("of the 2.00 ms it reports (-t adds threads)");
}

static void an_open_loop_is_limited_by_its_schedule(void **state)
{
    (void)state;
    said("the schedule set the rate");
    result.limits.generator_busy = 0.99;
    said("the generator was at its limit");
}

static void where_nothing_was_measured_nobody_is_named(void **state)
{
    (void)state;
    result.limits.generator_busy = -1; /* interrupted in the ramp */
    said("nothing was measured, so nobody is known to be the limit");
}

#define JUDGE_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGE_TEST(one_that_kept_its_schedule_is_believed),
        JUDGE_TEST(what_a_timer_costs_is_no_reason),
        JUDGE_TEST(lateness_in_the_middle_is_a_reason),
        JUDGE_TEST(lateness_at_the_far_end_is_a_reason),
        JUDGE_TEST(lateness_of_one_in_five_hundred_is_a_reason),
        JUDGE_TEST(requests_that_were_never_sent_are_told_beside),
        JUDGE_TEST(lateness_that_is_small_beside_the_answers_is_none),
        JUDGE_TEST(slots_that_were_left_out_are_a_reason),
        JUDGE_TEST(the_last_slot_may_be_missing),
        JUDGE_TEST(requests_without_answer_are_no_reason),
        JUDGE_TEST(one_that_was_interrupted_is_judged_by_its_lateness_alone),
        JUDGE_TEST(a_closed_loop_has_no_schedule_to_keep),
        JUDGE_TEST(a_busy_generator_is_named),
        JUDGE_TEST(a_busy_server_is_named),
        JUDGE_TEST(a_full_machine_is_named),
        JUDGE_TEST(a_machine_that_others_fill_is_no_limit_to_who_rests),
        JUDGE_TEST(where_both_rest_the_round_trips_are_named),
        JUDGE_TEST(a_generator_that_stood_still_is_told),
        JUDGE_TEST(a_server_elsewhere_is_not_guessed_at),
        JUDGE_TEST(a_tail_that_is_our_own_is_told),
        JUDGE_TEST(where_nothing_was_answered_no_time_is_lag),
        JUDGE_TEST(what_would_help_against_lateness_is_told),
        JUDGE_TEST(an_open_loop_is_limited_by_its_schedule),
        JUDGE_TEST(where_nothing_was_measured_nobody_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
