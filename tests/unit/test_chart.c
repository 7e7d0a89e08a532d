/* Charts: how numbers are written, where they stand, and what never gets into a page. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report/chart.h"
#include "report/chart_axis.h"
#include "report/chart_frame.h"
#include "report/html.h"
#include "written.h"

#define HOSTILE "</svg><script>alert(\"x\")</script> & '\x1b[31m' \xff \xe2\x80\xae"

static void numbers_have_three_digits_and_a_unit(void **state)
{
    static const struct {
        enum chart_unit unit;
        double value;
        const char *text;
    } rows[] = {
        {UNIT_COUNT, 0, "0"},
        {UNIT_COUNT, 7, "7"},
        {UNIT_COUNT, 9994, "9994"},
        {UNIT_COUNT, 12345, "12.3 k"},
        {UNIT_COUNT, 999499, "999 k"},
        {UNIT_COUNT, 999999, "1 M"},
        {UNIT_COUNT, 1.8e19, "18 E"},
        {UNIT_COUNT, 0.125, "0.125"},
        {UNIT_RATE, 51322.2, "51.3 k/s"},
        {UNIT_RATE, 999.9, "1 k/s"},
        {UNIT_RATE, 0.5, "0.5/s"},
        {UNIT_TIME, 999, "999 ns"},
        {UNIT_TIME, 60223, "60.2 µs"},
        {UNIT_TIME, 999999, "1 ms"},
        {UNIT_TIME, 1.25e9, "1.25 s"},
        {UNIT_TIME, 90e9, "90 s"},
        {UNIT_TIME, 900e9, "15 min"},
        {UNIT_TIME, 86400e9, "24 h"},
        {UNIT_BYTES, 64, "64 B"},
        {UNIT_BYTES, 65536, "64 KiB"},
        {UNIT_BYTES, 1572864, "1.5 MiB"},
        {UNIT_SHARE, 0.125, "12.5 %"},
        {UNIT_SHARE, 0.000052, "0.0052 %"},
        {UNIT_RATIO, 28.94, "28.9×"},
        {UNIT_TIME, NAN, "–"},
        {UNIT_RATE, INFINITY, "–"},
        {UNIT_COUNT, DBL_MAX, "–"},
        {UNIT_SHARE, -1, "–"},
    };
    char text[UNIT_ROOM];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(unit_text(text, rows[i].unit, rows[i].value), rows[i].text);
}

/* ---- axes ---- */

/* The texts of an axis' steps, separated by ", ". */
static void check_steps(struct chart_axis wish, double least, double most, bool whole, const char *wanted)
{
    struct axis axis = axis_fit(&wish, (struct extent){least, most}, whole);
    char texts[512] = "", text[UNIT_ROOM];
    for (size_t i = 0; i < axis.step_count; i++) {
        double place = axis_place(&axis, axis.steps[i]);
        assert_true(place > -1e-5 && place < 1 + 1e-5);
        size_t length = strlen(texts);
        snprintf(texts + length, sizeof texts - length, "%s%s", i > 0 ? ", " : "",
                 axis_text(text, &axis, axis.steps[i]));
    }
    assert_string_equal(texts, wanted);
}

static void linear_axes_begin_at_nothing(void **state)
{
    struct chart_axis rate = {.unit = UNIT_RATE}, time = {.unit = UNIT_TIME}, count = {.unit = UNIT_COUNT};
    struct chart_axis bytes = {.unit = UNIT_BYTES}, share = {.unit = UNIT_SHARE};

    (void)state;
    check_steps(rate, 51000, 52600, true, "0, 20 k/s, 40 k/s, 60 k/s");
    check_steps(time, 60e3, 399e6, true, "0, 100 ms, 200 ms, 300 ms, 400 ms");
    check_steps(time, 0, 30e9, false, "0, 10 s, 20 s, 30 s");
    check_steps(time, -3e9, 33e9, false, "0, 10 s, 20 s, 30 s");
    check_steps(time, -3e9, 4e9, false, "-2 s, 0, 2 s, 4 s");
    check_steps(time, 0, 3600e9, false, "0, 20 min, 40 min, 60 min");
    check_steps(time, 0, 86400e9, false, "0, 6 h, 12 h, 18 h, 24 h");
    check_steps(count, 1, 1, true, "0, 1");
    check_steps(count, 100, 100, true, "0, 20, 40, 60, 80, 100");
    check_steps(bytes, 1, 300000, true, "0, 64 KiB, 128 KiB, 192 KiB, 256 KiB, 320 KiB");
    check_steps(share, 0.2, 1, true, "0, 20 %, 40 %, 60 %, 80 %, 100 %");
}

static void logarithmic_axes_step_by_powers(void **state)
{
    struct chart_axis time = {.unit = UNIT_TIME, .scale = SCALE_LOGARITHM};
    struct chart_axis count = {.unit = UNIT_COUNT, .scale = SCALE_LOGARITHM};

    (void)state;
    check_steps(time, 60e3, 399e6, true, "100 µs, 1 ms, 10 ms, 100 ms");
    check_steps(time, 1, 86400e9, true, "1 ns, 1 µs, 1 ms, 1 s, 16.7 min");
    check_steps(count, 1, 1000, true, "1, 10, 100, 1000");
    check_steps(count, 30, 400, true, "20, 50, 100, 200, 500");
    check_steps(count, 5, 5, true, "5, 10, 20, 50");
    check_steps(count, 0, 0, true, "1, 2, 5, 10");
}

static void percentiles_step_by_nines(void **state)
{
    struct chart_axis axis = {.scale = SCALE_PERCENTILE, .most = 99.99};

    (void)state;
    check_steps(axis, 0, 99, true, "0 %, 90 %, 99 %, 99.9 %, 99.99 %");
    check_steps(axis, 0, 99.9995, true, "0 %, 90 %, 99 %, 99.9 %, 99.99 %, 99.999 %");
    struct axis fitted = axis_fit(&axis, (struct extent){0, 99.99}, true);
    assert_float_equal(axis_place(&fitted, 0), 0, 1e-6);
    assert_float_equal(axis_place(&fitted, 90), 0.25, 1e-6);
    assert_float_equal(axis_place(&fitted, 99.99), 1, 1e-6);
    assert_true(isnan(axis_place(&fitted, 100)));
}

static void odd_values_have_an_axis_too(void **state)
{
    static const double values[] = {0, DBL_MIN, 1e-300, 1, 1e18, 9e299, DBL_MAX, INFINITY, NAN, -1, -1e299};
    enum { VALUES = sizeof values / sizeof values[0] };

    (void)state;
    for (int scale = SCALE_LINEAR; scale <= SCALE_PERCENTILE; scale++)
        for (int unit = UNIT_COUNT; unit <= UNIT_RATIO; unit++)
            for (size_t i = 0; i < VALUES * VALUES; i++) {
                struct chart_axis wish = {.unit = unit, .scale = scale};
                struct extent values_seen = EXTENT_NONE;
                extent_take(&values_seen, values[i / VALUES]);
                extent_take(&values_seen, values[i % VALUES]);
                struct axis axis = axis_fit(&wish, values_seen, i % 2);
                assert_true(isfinite(axis.least) && isfinite(axis.most) && axis.most > axis.least);
                for (size_t step = 0; step < axis.step_count; step++)
                    assert_true(isfinite(axis_place(&axis, axis.steps[step])));
            }
}

/* ---- lines ---- */

static struct written draw(const struct chart *chart)
{
    struct written written;
    written_begin(&written);
    chart_lines(chart, written.out);
    written_end(&written);
    assert_whole(&written);
    return written;
}

static void a_line_is_drawn_where_its_points_are(void **state)
{
    const struct chart_point points[] = {{0, 0}, {5e9, 100}, {10e9, 50}};
    const struct chart_series series = {"requests", points, 3, false};
    const struct chart chart = {.title = "Rate",
                                .x = {.unit = UNIT_TIME},
                                .y = {.unit = UNIT_RATE},
                                .series = &series,
                                .series_count = 1};

    (void)state;
    struct written written = draw(&chart);
    assert_holds(&written, "role=\"img\"");
    assert_holds(&written, "<title>Rate</title>");
    assert_holds(&written, "d=\"M0.0 1000.0L500.0 0.0L1000.0 500.0\"");
    assert_holds(&written, "<title>requests: 100/s at 5 s</title>");
    assert_lacks(&written, "legend");
    written_free(&written);
}

static void what_is_not_known_leaves_a_gap(void **state)
{
    const struct chart_point points[] = {{0, 1}, {1, 2}, {2, NAN}, {3, 2}, {4, -1}, {5, INFINITY}, {6, 1}};
    const struct chart_series series[] = {{"a", points, 7, false}, {"b", points, 7, true}};
    const struct chart chart = {.title = "Gaps", .series = series, .series_count = 2};

    (void)state;
    struct written written = draw(&chart);
    assert_holds(&written, "d=\"M0.0 500.0L166.7 0.0M500.0 0.0M1000.0 500.0\"");
    assert_int_equal(count_of(&written, "<title>a: "), 4);
    assert_int_equal(count_of(&written, "<title>b: "), 4);
    assert_holds(&written, "<ul class=\"legend\">");
    written_free(&written);
}

static void empty_charts_say_so(void **state)
{
    const struct chart_point point = {0, NAN};
    const struct chart_series series[] = {{"none", NULL, 0, false}, {"unknown", &point, 1, false}};
    const struct chart chart = {.title = "Nothing", .series = series, .series_count = 2};
    const struct chart bare = {.title = "Nothing"};

    (void)state;
    struct written written = draw(&chart);
    assert_holds(&written, "nothing was measured");
    assert_lacks(&written, "class=\"grid\"");
    written_free(&written);
    written = draw(&bare);
    assert_holds(&written, "nothing was measured");
    written_free(&written);
}

static void huge_values_stay_in_the_picture(void **state)
{
    const struct chart_point points[] = {{0, 1}, {DBL_MAX, 2}, {1, DBL_MAX}, {NAN, 1}, {2, 9e299}};
    const struct chart_series series = {"huge", points, 5, false};

    (void)state;
    for (int scale = SCALE_LINEAR; scale <= SCALE_PERCENTILE; scale++) {
        const struct chart chart = {.title = "Huge",
                                    .x = {.scale = scale},
                                    .y = {.scale = scale},
                                    .series = &series,
                                    .series_count = 1};
        struct written written = draw(&chart);
        assert_lacks(&written, "00000000");
        written_free(&written);
    }
}

static void hostile_texts_are_harmless(void **state)
{
    const struct chart_point points[] = {{0, 1}, {1, 2}};
    const struct chart_series series[] = {{HOSTILE, points, 2, false}, {HOSTILE, points, 2, true}};
    const struct chart chart = {.title = HOSTILE,
                                .description = HOSTILE,
                                .x = {.label = HOSTILE},
                                .y = {.label = HOSTILE},
                                .series = series,
                                .series_count = 2,
                                .stretch = {0, 1, HOSTILE}};

    (void)state;
    struct written written = draw(&chart);
    assert_lacks(&written, "<script");
    assert_lacks(&written, "\x1b");
    assert_lacks(&written, "\xff");
    assert_lacks(&written, "\xe2\x80\xae");
    assert_holds(&written,
                 "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;\\x1b[31m&#39; \\xff");
    written_free(&written);
}

/* By colour and dashes together; eight of them without any colour. */
static void series_look_different(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++)
        for (size_t j = 0; j < i; j++) {
            struct looks one = looks_of(i, false), other = looks_of(j, false);
            assert_true(one.colour != other.colour || one.dashes != other.dashes);
            if (i < 8)
                assert_true(one.dashes != other.dashes && strcmp(one.mark, other.mark) != 0);
        }
}

/* ---- bars ---- */

static struct written draw_bars(const char *const *rows, size_t row_count, const struct bar_series *series,
                                size_t series_count)
{
    const struct bar_chart chart = {.title = "Bars",
                                    .unit = UNIT_TIME,
                                    .rows = rows,
                                    .row_count = row_count,
                                    .series = series,
                                    .series_count = series_count};
    struct written written;
    written_begin(&written);
    chart_bars(&chart, written.out);
    written_end(&written);
    assert_whole(&written);
    return written;
}

static void bars_are_as_long_as_their_values(void **state)
{
    static const char *const rows[] = {"one", "two", "three", "four"};
    const struct chart_bar bars[] = {{4e6, 0, 0}, {1e6, 0.8e6, 1.6e6}, {NAN, 0, 0}, {-1, 0, 0}};
    const struct bar_series series = {"p99", bars};

    (void)state;
    struct written written = draw_bars(rows, 4, &series, 1);
    assert_holds(&written, "<line class=\"bar c0 d0\" x2=\"100.00%\"");
    assert_holds(&written, "<line class=\"bar c0 d0\" x2=\"25.00%\"");
    assert_holds(&written, "<line class=\"whisker\" x1=\"20.00%\" x2=\"40.00%\"");
    assert_holds(&written, ">4 ms</text>");
    assert_int_equal(count_of(&written, "not known"), 2);
    assert_lacks(&written, "legend");
    written_free(&written);
}

static void long_names_are_cut_between_letters(void **state)
{
    static const char *const rows[] = {"short", "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü<script>" HOSTILE};
    const struct chart_bar bars[] = {{1, 0, 0}, {DBL_MAX, 0, 0}};
    const struct bar_series series[] = {{"a", bars}, {"b", bars}};

    (void)state;
    struct written written = draw_bars(rows, 2, series, 2);
    assert_holds(&written, "äöü…</text>");
    assert_holds(&written, "padding-left:0px");
    assert_int_equal(count_of(&written, "not known"), 2);
    assert_holds(&written, "<ul class=\"legend\">");
    written_free(&written);
    written = draw_bars(NULL, 0, NULL, 0);
    written_free(&written);
}

/* ---- the parts around them ---- */

static void sentences_keep_numbers_with_their_units(void **state)
{
    struct written written;

    (void)state;
    written_begin(&written);
    html_prose(written.out, "99 % took <5 ms, a < b");
    html_prose(written.out, NULL);
    html_text(written.out, NULL);
    written_end(&written);
    assert_string_equal(written.text, "99&nbsp;% took &lt;5&nbsp;ms, a &lt; b");
    written_free(&written);
}

static void tables_know_their_columns_of_text(void **state)
{
    struct written written;

    (void)state;
    written_begin(&written);
    html_table(written.out, "T", "<Name|Number|<Why");
    html_row(written.out, "<a>", "1", "because");
    html_table_end(written.out);
    written_end(&written);
    assert_whole(&written);
    assert_holds(&written, "class=\"table text-1 text-3\"");
    assert_holds(&written, "<th scope=\"col\">Number</th>");
    assert_holds(&written, "<tr><th scope=\"row\">&lt;a&gt;</th><td>1</td><td>because</td></tr>");
    written_free(&written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_three_digits_and_a_unit),
        cmocka_unit_test(linear_axes_begin_at_nothing),
        cmocka_unit_test(logarithmic_axes_step_by_powers),
        cmocka_unit_test(percentiles_step_by_nines),
        cmocka_unit_test(odd_values_have_an_axis_too),
        cmocka_unit_test(a_line_is_drawn_where_its_points_are),
        cmocka_unit_test(what_is_not_known_leaves_a_gap),
        cmocka_unit_test(empty_charts_say_so),
        cmocka_unit_test(huge_values_stay_in_the_picture),
        cmocka_unit_test(hostile_texts_are_harmless),
        cmocka_unit_test(series_look_different),
        cmocka_unit_test(bars_are_as_long_as_their_values),
        cmocka_unit_test(long_names_are_cut_between_letters),
        cmocka_unit_test(sentences_keep_numbers_with_their_units),
        cmocka_unit_test(tables_know_their_columns_of_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
