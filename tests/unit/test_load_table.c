#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/table.h"
#include "loaded.h"

/* ---- the table ---- */

static void the_table_tells_everything(void **state)
{
    static const char expected[] =
        "target      127.0.0.1:3000\n"
        "load        open loop at 1 k/s, 50 connections, 2 threads\n"
        "duration    3.00 s, after a warm-up of 1.00 s\n"
        "requests    3000, 1.00 k/s of 1.00 k/s intended\n"
        "bytes       in 62.5 KiB/s, out 62.5 KiB/s\n"
        "open        48 to 50 connections at once\n"
        "errors      15, 0.498 %\n"
        "  reset       12: recv 127.0.0.1:3000: connection reset by peer\n"
        "  unanswered  3: 3 requests had no reply 2 s after the end\n"
        "\n"
        "                  p50      p90      p99    p99.9   p99.99      max     mean\n"
        "response      2.00 ms  2.00 ms  2.00 ms  7.31 ms  7.31 ms  7.31 ms  2.05 ms\n"
        "service       1.50 ms  1.50 ms  1.50 ms  1.50 ms  1.50 ms  1.50 ms  1.50 ms\n"
        "lag           45.1 µs  45.1 µs  45.1 µs  45.1 µs  45.1 µs  45.1 µs  45.1 µs\n"
        "\n"
        "the server was the limit: 98 % of a processor\n";
    char *text = printed_of(load_table_print, &loaded);
    (void)state;
    assert_string_equal(text, expected);
    free(text);
}

static void a_closed_loop_has_one_latency(void **state)
{
    (void)state;
    histogram_clear(&loaded.service);
    histogram_clear(&loaded.lag);
    histogram_add(&loaded.service, &loaded.response);
    char *text = printed_of(load_table_print, &loaded);
    assert_says(text, "\nlatency       2.00 ms");
    assert_null(strstr(text, "response"));
    assert_null(strstr(text, "service "));
    assert_null(strstr(text, "\nlag"));
    free(text);
}

static void what_is_invalid_is_said_first(void **state)
{
    (void)state;
    loaded.valid = false;
    snprintf(loaded.invalid, sizeof loaded.invalid, "the generator kept 80%% of its schedule");
    char *text = printed_of(load_table_print, &loaded);
    assert_int_equal(strncmp(text, "INVALID: the generator kept 80% of its schedule\n", 48), 0);
    free(text);
}

static void what_there_was_is_told(void **state)
{
    (void)state;
    loaded.interrupted = SIGTERM;
    loaded.replies_late = 4;
    loaded.conditions.ramp = 0.5;
    loaded.conditions.connections = 1;
    loaded.conditions.generators = 2;
    loaded.idle_held = 10000;
    loaded.open_least = 50;
    loaded.connects = 70;
    histogram_record(&loaded.connect, 250000);
    histogram_record(&loaded.first_byte, 350000);
    char *text = printed_of(load_table_print, &loaded);
    assert_says(text, ", 1 connection, 2 threads, 10000 held idle, 2 generators\n");
    assert_says(text, "3.00 s, after a ramp of 500 ms and a warm-up of 1.00 s, interrupted by SIGTERM\n");
    assert_says(text, ", and 4 answered after the end\n");
    assert_says(text, "\nopen        50 connections at once, 70 made\n");
    assert_says(text, "\nconnect        250 µs");
    assert_says(text, "\nfirst byte     350 µs");
    free(text);
}

/* -1: nobody asked for it. */
static void resumed_handshakes_are_told_where_they_were_asked_for(void **state)
{
    static const struct {
        uint64_t connects;
        int64_t resumed;
        const char *line;
    } cases[] = {
        {70, 63, "\nresumed     63 of 70 TLS handshakes, 90 %\n"},
        {70, 0, "\nresumed     NONE of 70 TLS handshakes: all were whole ones\n"},
        {0, 0,
         "\nresumed     no TLS handshake was made in the measured time (--churn makes one for each "
         "request)\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        loaded.connects = cases[i].connects;
        loaded.resumed = cases[i].resumed;
        char *text = printed_of(load_table_print, &loaded);
        assert_says(text, cases[i].line);
        free(text);
    }
    loaded.resumed = -1;
    char *text = printed_of(load_table_print, &loaded);
    assert_null(strstr(text, "resumed"));
    free(text);
}

static void what_was_found_is_said_first(void **state)
{
    (void)state;
    loaded.search =
        (struct load_search){.promise = "p99<5ms",
                             .sentence = "p99<5ms is kept up to 12.3 k/s",
                             .found = 8000,
                             .trials = {{8000, true, "p99 is 2.10 ms"}, {16000, false, "p99 is 9.90 ms"}},
                             .trial_count = 2};
    char *text = printed_of(load_table_print, &loaded);
    static const char expected[] = "found       p99<5ms is kept up to 12.3 k/s\n"
                                   "  8.00 k/s    kept    p99 is 2.10 ms\n"
                                   "  16.0 k/s    broken  p99 is 9.90 ms\n"
                                   "\n"
                                   "target ";
    assert_int_equal(strncmp(text, expected, sizeof expected - 1), 0);
    free(text);
}

/* There is no run to tell of. */
static void nothing_found_is_no_table(void **state)
{
    (void)state;
    loaded.search = (struct load_search){.promise = "p99<1us",
                                         .sentence = "no rate kept p99<1us",
                                         .trials = {{8000, false, "p99 is 30.1 µs"}},
                                         .trial_count = 1};
    char *text = printed_of(load_table_print, &loaded);
    assert_string_equal(text, "found       no rate kept p99<1us\n"
                              "  8.00 k/s    broken  p99 is 30.1 µs\n");
    free(text);
}

/* Interrupted before anything was measured. */
static void nothing_measured_is_a_table_too(void **state)
{
    (void)state;
    load_result_close(&loaded);
    assert_int_equal(load_result_open(&loaded), 0);
    char *text = printed_of(load_table_print, &loaded);
    assert_string_equal(text, "target      ?\n"
                              "load        ?\n"
                              "duration    0 ns\n"
                              "requests    0, 0/s\n"
                              "bytes       in 0 B/s, out 0 B/s\n"
                              "open        0 connections at once\n"
                              "errors      0\n");
    free(text);
}

/* A result may come from a file of somebody else. */
static void no_text_steers_the_terminal(void **state)
{
    static const char hostile[] = "\x1b]0;title\x07\xe2\x80\xae";
    (void)state;
    loaded.valid = false;
    memcpy(loaded.invalid, hostile, sizeof hostile);
    memcpy(loaded.limits.sentence, hostile, sizeof hostile);
    memcpy(loaded.faults[FAULT_RESET].first, hostile, sizeof hostile);
    free(loaded.conditions.target);
    free(loaded.conditions.mode);
    loaded.conditions.target = strdup(hostile);
    loaded.conditions.mode = strdup(hostile);
    char *text = printed_of(load_table_print, &loaded);
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\x07'));
    assert_null(strstr(text, "\xe2\x80\xae"));
    assert_says(text, "INVALID: \\x1b]0;title\\x07\\xe2\\x80\\xae\n");
    free(text);
}

/* ---- the live line ---- */

static char *live(const struct load_interval *interval, double total)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    live_print(out, &loaded, interval, total);
    fclose(out);
    return text;
}

static void the_live_line_replaces_the_one_before(void **state)
{
    char *text = live(&loaded.intervals[3], 10);
    (void)state;
    assert_string_equal(text, "\r\x1b[K3 of 10 s  1.00 k/s  p50 2.00 ms  p99 2.00 ms  errors 15  open 50");
    free(text);
    text = live(&loaded.intervals[0], 10);
    assert_int_equal(strncmp(text, "\r\x1b[Kwarm-up, 0 s to go  1.00 k/s", 32), 0);
    free(text);
}

static void a_silent_second_has_no_percentiles(void **state)
{
    (void)state;
    histogram_clear(&loaded.intervals[2].response);
    loaded.intervals[2].requests = 0;
    char *text = live(&loaded.intervals[2], 3600);
    assert_string_equal(text, "\r\x1b[K2 of 3600 s  0/s  errors 15  open 50");
    free(text);
}

/* ---- CSV ---- */

static void csv_has_a_row_for_each_interval_and_one_of_all(void **state)
{
    (void)state;
    histogram_clear(&loaded.intervals[1].response);
    char *text = printed_of(load_csv_print, &loaded);
    assert_string_equal(text, "row,start_s,length_s,requests,errors,rate,bytes_in,bytes_out,open,"
                              "p50_us,p90_us,p99_us,p99.9_us,p99.99_us,max_us,mean_us\n"
                              "warmup,-1.000,1.000,1000,0,1000.000,64000,64000,50,"
                              "2000.895,2000.895,2000.895,7310.000,7310.000,7310.000,2053.473\n"
                              "interval,0.000,1.000,1000,0,1000.000,64000,64000,50,,,,,,,\n"
                              "interval,1.000,1.000,1000,0,1000.000,64000,64000,50,"
                              "2000.895,2000.895,2000.895,7310.000,7310.000,7310.000,2053.473\n"
                              "interval,2.000,1.000,1000,15,1000.000,64000,64000,50,"
                              "2000.895,2000.895,2000.895,7310.000,7310.000,7310.000,2053.473\n"
                              "total,0.000,3.000,3000,15,1000.000,192000,192000,50,"
                              "2000.895,2000.895,2000.895,7310.000,7310.000,7310.000,2053.473\n");
    free(text);
}

static void a_full_disk_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    (void)state;
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(load_table_print(&loaded, full), -1);
    clearerr(full);
    assert_int_equal(load_csv_print(&loaded, full), -1);
    fclose(full);
}

#define WITH_RESULT(test) cmocka_unit_test_setup_teardown(test, open_loaded, close_loaded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RESULT(the_table_tells_everything),
        WITH_RESULT(a_closed_loop_has_one_latency),
        WITH_RESULT(what_is_invalid_is_said_first),
        WITH_RESULT(what_there_was_is_told),
        WITH_RESULT(resumed_handshakes_are_told_where_they_were_asked_for),
        WITH_RESULT(what_was_found_is_said_first),
        WITH_RESULT(nothing_found_is_no_table),
        WITH_RESULT(nothing_measured_is_a_table_too),
        WITH_RESULT(no_text_steers_the_terminal),
        WITH_RESULT(the_live_line_replaces_the_one_before),
        WITH_RESULT(a_silent_second_has_no_percentiles),
        WITH_RESULT(csv_has_a_row_for_each_interval_and_one_of_all),
        WITH_RESULT(a_full_disk_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
