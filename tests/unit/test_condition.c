#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <parley.h>

#include "load/condition.h"
#include "text/amount.h"

static struct load_result result;

/* p50 is 2 ms, p99 7.31 ms, 10000 requests and 200 errors in 2 s; connect was not measured. */
static int open_result(void **state)
{
    (void)state;
    if (load_result_open(&result) != 0)
        return -1;
    histogram_record_many(&result.response, 2000000, 9000);
    histogram_record_many(&result.response, 7310000, 1000);
    histogram_record_many(&result.service, 250000, 10000);
    result.requests = 10000;
    result.elapsed = 2;
    load_fault_note(result.faults, FAULT_RESET, 150, "reset");
    load_fault_note(result.faults, FAULT_CONNECT, 50, "refused");
    return 0;
}

static int close_result(void **state)
{
    (void)state;
    load_result_close(&result);
    return 0;
}

static struct condition parsed(const char *text)
{
    struct condition condition;
    if (condition_parse(&condition, text) != 0)
        fail_msg("\"%s\": %s", text, parley_error());
    return condition;
}

/* ---- amounts ---- */

static void amounts_have_three_digits_and_a_unit(void **state)
{
    static const struct {
        double ns;
        const char *text;
    } rows[] = {
        {0, "0 ns"},          {1, "1 ns"},          {512, "512 ns"},     {0.5, "0.500 ns"},
        {999, "999 ns"},      {999.4, "999 ns"},    {999.6, "1.00 µs"},  {1000, "1.00 µs"},
        {45100, "45.1 µs"},   {999499, "999 µs"},   {999500, "1.00 ms"}, {7312000, "7.31 ms"},
        {9.994e6, "9.99 ms"}, {9.996e6, "10.0 ms"}, {99.96e6, "100 ms"}, {1.5e9, "1.50 s"},
        {86400e9, "86400 s"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(amount_time(rows[i].ns).text, rows[i].text);
    assert_string_equal(amount_rate(950).text, "950/s");
    assert_string_equal(amount_rate(0.25).text, "0.250/s");
    assert_string_equal(amount_rate(12345).text, "12.3 k/s");
    assert_string_equal(amount_rate(5.1e6).text, "5.10 M/s");
    assert_string_equal(amount_size(64).text, "64 B");
    assert_string_equal(amount_size(65536).text, "64.0 KiB");
    assert_string_equal(amount_size(8e6).text, "7.63 MiB");
    assert_string_equal(amount_percent(1.25).text, "1.25 %");
    assert_string_equal(amount_percent(0.498).text, "0.498 %");
    assert_string_equal(amount_percent(1e-4).text, "0.000100 %"); /* an error of a million */
    assert_string_equal(amount_percent(1e-9).text, "0.0000000 %");
}

/* ---- what holds ---- */

static void each_metric_is_compared(void **state)
{
    static const struct {
        const char *text;
        bool holds;
    } rows[] = {
        {"p99>5ms", true},
        {"p99>7.4ms", false},
        {"p50<2.1ms", true},
        {"p50<1.9ms", false},
        {"max>=7.31ms", true},
        {"max<=7310us", true},
        {"p100==7310000ns", true},
        {"max>7.31ms", false},
        {"mean>2.4ms", true},
        {"mean<2.6ms", true},
        {"service.p99.9>=250us", true},
        {"service.p99<251us", true},
        {"service.p99<249us", false},
        {"rate<10k", true},
        {"rate>=5k/s", true},
        {"rate>5000", false},
        {"requests==10000", true},
        {"requests<10k", false},
        {"errors>0", true},
        {"errors>=200", true},
        {"errors>200", false},
        {"errors>1%", true},
        {"errors>1.9%", true},
        {"errors>2%", false},
        {"errors<=1.97%", true},
        {" p99 > 5ms ", true},
        {"p90==2ms", false},
        {"p0>0", true},
        {"errors==200", true},
    };
    char why[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct condition condition = parsed(rows[i].text);
        if (condition_holds(&condition, &result, why, sizeof why) != rows[i].holds)
            fail_msg("\"%s\" %s; the value is %g, the bound %g", rows[i].text,
                     rows[i].holds ? "does not hold" : "holds", condition_value(&condition, &result),
                     condition.bound);
        if (condition_kept(&condition, &result, why, sizeof why) != rows[i].holds)
            fail_msg("\"%s\" was %skept: %s", rows[i].text, rows[i].holds ? "not " : "", why);
    }
}

static void the_reason_names_both_sides(void **state)
{
    static const char *const rows[][2] = {
        {"p99>5ms", "p99 is 7.31 ms, and p99>5ms was to fail"},
        {"service.p99.9 >= 250us", "service.p99.9 is 250 µs, and service.p99.9>=250us was to fail"},
        {"p50>1999us", "p50 is just above 2.00 ms, and p50>1999us was to fail"},
        {"p50<2001us", "p50 is just below 2.00 ms, and p50<2001us was to fail"},
        {"errors>0", "errors are 200, and errors>0 was to fail"},
        {"errors>1%", "errors are 1.96 %, and errors>1% was to fail"},
        {"rate<10k", "rate is 5.00 k/s, and rate<10k was to fail"},
        {"requests<1M", "requests are 10000, and requests<1M was to fail"},
        {"connect.p99>1s", "connect.p99 was not measured, and connect.p99>1s was to fail"},
    };
    char why[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct condition condition = parsed(rows[i][0]);
        assert_true(condition_holds(&condition, &result, why, sizeof why));
        assert_string_equal(why, rows[i][1]);
    }
}

static void a_promise_says_what_was_measured(void **state)
{
    struct condition condition = parsed("p99<5ms");
    char what[64];
    (void)state;
    assert_false(condition_kept(&condition, &result, what, sizeof what));
    assert_string_equal(what, "p99 is 7.31 ms");
    condition = parsed("p50<5ms");
    assert_true(condition_kept(&condition, &result, what, sizeof what));
    assert_string_equal(what, "p50 is 2.00 ms");
}

/* Nothing came back: neither is the promise kept, nor can it be said that the run is well. */
static void what_was_not_measured_is_not_well(void **state)
{
    static const char *const rows[] = {"connect.p99<1s", "connect.max>1s", "lag.mean==0",
                                       "first_byte.p50<=1h"};
    char text[128];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct condition condition = parsed(rows[i]);
        assert_true(condition_holds(&condition, &result, text, sizeof text));
        assert_false(condition_kept(&condition, &result, text, sizeof text));
        assert_non_null(strstr(text, "was not measured"));
    }
    load_result_close(&result);
    assert_int_equal(load_result_open(&result), 0);
    struct condition condition = parsed("errors>1%");
    assert_true(condition_holds(&condition, &result, text, sizeof text));
    assert_string_equal(text, "errors were not measured, and errors>1% was to fail");
    condition = parsed("errors>0");
    assert_false(condition_holds(&condition, &result, text, sizeof text));
}

/* ---- what is refused ---- */

static void what_is_no_condition_is_refused(void **state)
{
    static const char *const rows[][2] = {
        {"", "\"\" is no condition (write \"p99>5ms\""},
        {"p99", "is no condition"},
        {">5ms", "is no condition"},
        {"p99=5ms", "is no condition"},
        {"p99!=5ms", "is no condition"},
        {"p99=>5ms", "is no condition"},
        {"q99>5ms", "\"q99\" is not measured; rate, requests, errors, p50"},
        {"p>5ms", "\"p\" is not measured"},
        {"p99.>5ms", "\"p99.\" is not measured"},
        {"p9x>5ms", "\"p9x\" is not measured"},
        {"p-1>5ms", "is not measured"},
        {"p0x1>5ms", "is not measured"},
        {"pk>5ms", "is not measured"},
        {"p5k>5ms", "is not measured"},
        {"server.p99>5ms", "\"server.p99\" is not measured"},
        {"service.rate>5", "\"service.rate\" is not measured"},
        {"service.>5ms", "is not measured"},
        {"P99>5ms", "is not measured"},
        {"p100.1>5ms", "no percentile above p100"},
        {"p99>5", "\"p99>5\" lacks a unit (write \"p99>5ms\", \"p99>5us\" or \"p99>5s\")"},
        {"p99>", "\"\" is not a time"},
        {"p99>fast", "\"p99>fast\": \"fast\" is not a time (write \"5ms\""},
        {"p99>5%", "is not a time"},
        {"p99>-5ms", "is not a time"},
        {"p99>>5ms", "is not a time"},
        {"p99>5ms,p50>1ms", "is not a time"},
        {"rate<", "\"\" is not a count"},
        {"rate<5ms", "\"5ms\" is not a count"},
        {"rate<10%", "is not a count"},
        {"rate</s", "\"/s\" is not a count"},
        {"requests<10k/s", "is not a count"},
        {"errors>%", "\"%\" is no share (write \"1%\""},
        {"errors>101%", "\"101%\" is no share"},
        {"errors>1k%", "is no share"},
        {"errors>1%%", "is no share"},
        {"errors>many", "\"many\" is not a count"},
        {"service.p99.99999999999999999999999999>5ms", "is no condition"},
        {"errors>00000000000000000000000000000000000000000000000000000000000000000", "is no condition"},
    };
    struct condition condition;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (condition_parse(&condition, rows[i][0]) != PARLEY_USAGE)
            fail_msg("\"%s\" was taken", rows[i][0]);
        if (!strstr(parley_error(), rows[i][1]))
            fail_msg("\"%s\": %s; not %s", rows[i][0], parley_error(), rows[i][1]);
    }
}

#define WITH_RESULT(test) cmocka_unit_test_setup_teardown(test, open_result, close_result)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_have_three_digits_and_a_unit),
        WITH_RESULT(each_metric_is_compared),
        WITH_RESULT(the_reason_names_both_sides),
        WITH_RESULT(a_promise_says_what_was_measured),
        WITH_RESULT(what_was_not_measured_is_not_well),
        cmocka_unit_test(what_is_no_condition_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
