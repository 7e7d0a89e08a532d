/* The report of a load as a page. With `--write DIRECTORY` it writes its samples there, for a browser. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <parley.h>

#include "report/page.h"
#include "page_sample.h"
#include "written.h"

static struct written write_page(struct load_result *result)
{
    struct written written;
    written_begin(&written);
    assert_int_equal(load_page_write(result, written.out), 0);
    written_end(&written);
    load_result_close(result);
    assert_whole(&written);
    return written;
}

static void the_page_says_what_was_measured(void **state)
{
    struct load_result result;

    (void)state;
    sample_open_loop(&result);
    struct written written = write_page(&result);
    assert_holds(&written, "<!DOCTYPE html>");
    assert_holds(&written, "<h1>127.0.0.1:3000</h1>");
    assert_holds(&written, "<dt>Requests answered</dt><dd>1 k/s</dd>");
    assert_holds(&written, "<dt>Errors</dt><dd>0</dd>");
    assert_holds(&written, "<dd>valid</dd>");
    assert_holds(&written, "the server was the limit: it was 99% busy");
    assert_holds(&written, "parley load 127.0.0.1:3000 -c 100 -t 2 -d 30s --report report.html");
    assert_holds(&written, "2026-11-21 09:30:09 UTC");
    assert_holds(&written, "<th scope=\"row\">requests answered</th><td>30000</td>");
    assert_holds(&written, "<th scope=\"row\">p50</th><td>");
    assert_holds(&written, "<li><svg class=\"key c0 d0\" aria-hidden=\"true\"><rect class=\"stretch\"");
    assert_lacks(&written, "role=\"alert\"");
    assert_lacks(&written, "not known");
    written_free(&written);
}

static void the_page_needs_nothing_beside_it(void **state)
{
    static const char *const reaching[] = {"<script",  "<link", "<img",  "@import", "http://",
                                           "https://", "url(",  " src=", "href="};
    struct load_result result;

    (void)state;
    sample_open_loop(&result);
    struct written written = write_page(&result);
    for (size_t i = 0; i < sizeof reaching / sizeof reaching[0]; i++)
        assert_lacks(&written, reaching[i]);
    assert_holds(&written, "default-src 'none'");
    written_free(&written);
}

static void a_search_is_told(void **state)
{
    struct load_result result;

    (void)state;
    sample_open_loop(&result);
    result.search =
        (struct load_search){.promise = "p99<5ms",
                             .sentence = "p99<5ms is kept up to 1 k/s",
                             .trials = {{1000, true, "p99 is 2.1 ms"}, {2000, false, "p99 is <9> ms"}},
                             .trial_count = 2};
    struct written written = write_page(&result);
    assert_holds(&written, "p99&lt;5ms is kept up to 1");
    assert_holds(&written, "<td>kept</td><td>p99 is 2.1 ms</td>");
    assert_holds(&written, "p99 is &lt;9&gt; ms");
    written_free(&written);
    sample_open_loop(&result);
    written = write_page(&result);
    assert_lacks(&written, "searched for");
    written_free(&written);
}

/* The response time holds the stall, the service time does not: two lines; in a closed loop they are one. */
static void response_and_service_are_two_lines_where_they_differ(void **state)
{
    struct load_result result;

    (void)state;
    sample_open_loop(&result);
    struct written written = write_page(&result);
    assert_holds(&written, "response time</li>");
    assert_holds(&written, "service time</li>");
    written_free(&written);
    sample_closed_loop(&result, 5);
    written = write_page(&result);
    assert_lacks(&written, "service time</li>");
    assert_holds(&written, "response time and service time are one");
    written_free(&written);
}

static void a_churn_shows_its_connecting(void **state)
{
    struct load_result result;

    (void)state;
    sample_closed_loop(&result, 2);
    histogram_record_many(&result.connect, 30000, result.requests);
    histogram_record_many(&result.first_byte, 60000, result.requests);
    struct written written = write_page(&result);
    assert_holds(&written, "connected</li>");
    assert_holds(&written, "first byte of the reply</li>");
    assert_holds(&written, "Each request had a connection of its own.");
    written_free(&written);
}

static void hostile_texts_are_shown_and_do_nothing(void **state)
{
    struct load_result result;

    (void)state;
    sample_hostile(&result);
    struct written written = write_page(&result);
    assert_lacks(&written, "<script");
    assert_lacks(&written, "<img");
    assert_lacks(&written, "\x1b");
    assert_lacks(&written, "\xff");
    assert_lacks(&written, "\xe2\x80\xae");
    assert_true(count_of(&written, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;") >= 7 + FAULTS);
    written_free(&written);
}

static void what_went_wrong_comes_first(void **state)
{
    struct load_result result;

    (void)state;
    sample_hostile(&result);
    struct written written = write_page(&result);
    const char *invalid = strstr(written.text, "<strong>INVALID</strong> <span>it was late");
    const char *numbers = strstr(written.text, "<dl class=\"numbers\">");
    assert_non_null(invalid);
    assert_true(invalid < numbers);
    assert_holds(&written, "by SIGINT after 30&nbsp;s");
    assert_holds(&written, "<div class=\"bad\"><dt>Errors</dt><dd>75</dd>");
    assert_holds(&written, "<dt>10 × could not connect</dt>");
    assert_holds(&written, "<dt>15 × not answered in time</dt>");
    assert_holds(&written, "<title>errors: 75/s at 12.5 s</title>");
    written_free(&written);
}

static void nothing_measured_is_said(void **state)
{
    struct load_result result;

    (void)state;
    sample_nothing(&result);
    load_fault_note(result.faults, FAULT_CONNECT, 1, "connect 127.0.0.1:1: connection refused");
    struct written written = write_page(&result);
    assert_int_equal(count_of(&written, "nothing was measured"), 4);
    assert_holds(&written, "<dt>Median</dt><dd>–</dd>");
    assert_holds(&written, "<dt class=\"wide\">Command</dt><dd class=\"wide\"><code>not known</code></dd>");
    assert_holds(&written, "connect 127.0.0.1:1: connection refused");
    assert_holds(&written, "It is not known which side was the limit.");
    written_free(&written);
}

static void one_interval_is_one_mark(void **state)
{
    struct load_result result;

    (void)state;
    sample_closed_loop(&result, 1);
    struct written written = write_page(&result);
    assert_int_equal(count_of(&written, "<title>requests: 1 k/s at 0.5 s</title>"), 1);
    assert_int_equal(count_of(&written, "<title>connections: 100 at 0.5 s</title>"), 1);
    written_free(&written);
}

/* Seconds without an answer, and one without length, are gaps. */
static void silent_intervals_are_gaps(void **state)
{
    struct load_result result;

    (void)state;
    sample_closed_loop(&result, 3);
    histogram_clear(&result.intervals[1].response);
    result.intervals[1].requests = 0;
    result.intervals[2].length = 0;
    struct written written = write_page(&result);
    assert_int_equal(count_of(&written, "<title>median: "), 2);
    assert_holds(&written, "<title>requests: 0 at 1.5 s</title>");
    assert_int_equal(count_of(&written, "<title>requests: "), 2);
    written_free(&written);
}

static void huge_numbers_fit(void **state)
{
    struct load_result result;

    (void)state;
    sample_closed_loop(&result, 1);
    result.requests = result.bytes_in = result.intended = UINT64_MAX;
    result.elapsed = 1e-9;
    result.since = 1e300;
    result.limits.server_busy = 1e9;
    result.limits.machine_idle = NAN;
    result.conditions.rate = INFINITY;
    result.conditions.warmup = NAN;
    result.conditions.processors = UINT32_MAX;
    result.intervals[0].requests = UINT64_MAX;
    result.faults[FAULT_RESET].count = UINT64_MAX;
    histogram_record_many(&result.response, UINT64_MAX, UINT64_MAX / 2);
    struct written written = write_page(&result);
    assert_holds(&written, "18446744073709551615");
    assert_holds(&written, "24 h");
    written_free(&written);
}

/* 5000 s are shown as 556 moments of 9 s. */
static void long_runs_are_shown_in_longer_moments(void **state)
{
    struct load_result result;

    (void)state;
    sample_closed_loop(&result, 5000);
    struct written written = write_page(&result);
    assert_holds(&written, "each point stands for 9&nbsp;intervals together");
    assert_holds(&written, "<tr><th scope=\"row\">9.000</th><td>9.000</td><td>9000</td>");
    assert_true(written.size < 300000);
    written_free(&written);
}

static void a_full_disk_is_told(void **state)
{
    struct load_result result;
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(full);
    sample_nothing(&result);
    assert_true(load_page_write(&result, full) != 0);
    assert_non_null(strstr(parley_error(), "no space left"));
    fclose(full);
    load_result_close(&result);
}

static int write_sample(const char *directory, const char *name, struct load_result *result)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.html", directory, name);
    FILE *out = fopen(path, "w");
    int status = out ? load_page_write(result, out) : -1;
    if (out && fclose(out) != 0)
        status = -1;
    load_result_close(result);
    return status;
}

static int write_samples(const char *directory)
{
    struct load_result result;
    sample_open_loop(&result);
    int status = write_sample(directory, "open", &result);
    sample_hostile(&result);
    status |= write_sample(directory, "hostile", &result);
    sample_closed_loop(&result, 900);
    status |= write_sample(directory, "long", &result);
    sample_nothing(&result);
    status |= write_sample(directory, "nothing", &result);
    return status != 0;
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_was_measured),
        cmocka_unit_test(the_page_needs_nothing_beside_it),
        cmocka_unit_test(a_search_is_told),
        cmocka_unit_test(response_and_service_are_two_lines_where_they_differ),
        cmocka_unit_test(a_churn_shows_its_connecting),
        cmocka_unit_test(hostile_texts_are_shown_and_do_nothing),
        cmocka_unit_test(what_went_wrong_comes_first),
        cmocka_unit_test(nothing_measured_is_said),
        cmocka_unit_test(one_interval_is_one_mark),
        cmocka_unit_test(silent_intervals_are_gaps),
        cmocka_unit_test(huge_numbers_fit),
        cmocka_unit_test(long_runs_are_shown_in_longer_moments),
        cmocka_unit_test(a_full_disk_is_told),
    };

    if (count == 3 && strcmp(arguments[1], "--write") == 0)
        return write_samples(arguments[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
