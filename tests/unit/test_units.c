#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <parley.h>

#include "base/units.h"

static void times_are_milliseconds(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"0", 0},
        {"30", 30000},
        {"30s", 30000},
        {"500ms", 500},
        {"1m", 60000},
        {"2h", 7200000},
        {"1.5s", 1500},
        {"1.5", 1500},
        {"250us", 1},
        {"1us", 1},
        {"1µs", 1},
        {"1ns", 1},
        {"1000001ns", 2},
        {"0us", 0},
        {"1001us", 2},
        {"0.1ms", 1},
        {"0.0s", 0},
        {"000007s", 7000},
        {"0.25m", 15000},
        {"1.0000000000s", 1000},
        {"0.000000001h", 1},
        {"4611686018427387903ms", INT64_MAX / 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        if (parse_time(rows[i].text, &ms) != 0 || ms != rows[i].ms)
            fail_msg("\"%s\" is %lld", rows[i].text, (long long)ms);
    }
}

static void measured_times_are_nanoseconds(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } rows[] = {
        {"0", 0},          {"800ns", 800},      {"250us", 250000},   {"250µs", 250000},
        {"1.5us", 1500},   {"5ms", 5000000},    {"0.001ms", 1000},   {"1s", 1000000000},
        {"2", 2000000000}, {"0.000001s", 1000}, {"1m", 60000000000}, {"9223372036854775807ns", INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = -1;
        if (parse_nanoseconds(rows[i].text, &ns) != 0 || ns != rows[i].ns)
            fail_msg("\"%s\" is %lld", rows[i].text, (long long)ns);
    }
}

static void sizes_are_bytes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {
        {"0", 0},
        {"512", 512},
        {"1KiB", 1024},
        {"64KiB", 65536},
        {"1.5MiB", 1572864},
        {"2GiB", 2147483648},
        {"1TiB", 1099511627776},
        {"0.5KiB", 512},
        {"1.000KiB", 1024},
        {"18446744073709551615", UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t bytes = 1;
        if (parse_size(rows[i].text, &bytes) != 0 || bytes != rows[i].bytes)
            fail_msg("\"%s\" is %llu", rows[i].text, (unsigned long long)bytes);
    }
}

static void counts_are_thousands(void **state)
{
    static const struct {
        const char *text;
        uint64_t count;
    } rows[] = {
        {"0", 0},           {"7", 7},       {"10k", 10000}, {"2M", 2000000},
        {"1G", 1000000000}, {"1.5k", 1500}, {"0.001k", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t count = 99;
        if (parse_count(rows[i].text, &count) != 0 || count != rows[i].count)
            fail_msg("\"%s\" is %llu", rows[i].text, (unsigned long long)count);
    }
}

/* Wrong for all three. */
static void what_is_no_quantity_is_refused(void **state)
{
    static const char *const refused[] = {
        "",
        " ",
        "1 ",
        " 1",
        "-1",
        "+1",
        "1.",
        ".5",
        "1..5",
        "1.5.5",
        "0x10",
        "1e3",
        "1,5",
        "s",
        "KiB",
        "nan",
        "inf",
        "1KIB",
        "1K",
        "1kb",
        "1S",
        "1 s",
        "1ss",
        "1d",
        "1KiBs",
        "1m30s",
        "١",
        "\n1",
        "99999999999999999999",
        "1.0000000001",
        "18446744073709551616",
    };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        int64_t ms = -7;
        uint64_t number = 7;
        if (parse_time(refused[i], &ms) != PARLEY_USAGE ||
            parse_nanoseconds(refused[i], &ms) != PARLEY_USAGE ||
            parse_size(refused[i], &number) != PARLEY_USAGE ||
            parse_count(refused[i], &number) != PARLEY_USAGE)
            fail_msg("\"%s\" was taken", refused[i]);
        assert_int_equal(ms, -7);
        assert_int_equal(number, 7);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    int64_t ms;
    uint64_t number;

    (void)state;
    assert_int_equal(parse_time("4611686018427387904ms", &ms), PARLEY_USAGE);
    assert_int_equal(parse_time("9999999999999999999h", &ms), PARLEY_USAGE);
    assert_int_equal(parse_nanoseconds("9223372036854775808ns", &ms), PARLEY_USAGE);
    assert_int_equal(parse_nanoseconds("2562048h", &ms), PARLEY_USAGE);
    assert_int_equal(parse_nanoseconds("0.5ns", &ms), PARLEY_USAGE);
    assert_int_equal(parse_size("16777216TiB", &number), PARLEY_USAGE);
    assert_int_equal(parse_size("18014398509481984KiB", &number), PARLEY_USAGE);
    assert_int_equal(parse_count("18446744073709551615k", &number), PARLEY_USAGE);
    assert_int_equal(parse_size("0.3KiB", &number), PARLEY_USAGE);
    assert_string_equal(parley_error(), "\"0.3KiB\" is not a whole number");
    assert_int_equal(parse_count("1.5", &number), PARLEY_USAGE);
}

static void units_of_one_kind_are_not_of_another(void **state)
{
    int64_t ms;
    uint64_t number;

    (void)state;
    assert_int_equal(parse_time("1KiB", &ms), PARLEY_USAGE);
    assert_int_equal(parse_time("1k", &ms), PARLEY_USAGE);
    assert_int_equal(parse_size("1k", &number), PARLEY_USAGE);
    assert_non_null(strstr(parley_error(), "\"64KiB\""));
    assert_int_equal(parse_count("1KiB", &number), PARLEY_USAGE);
    assert_int_equal(parse_count("1s", &number), PARLEY_USAGE);
}

/* Where the decimal point is a comma and I is not the capital of i; where it is not installed, this is C. */
static void the_locale_changes_nothing(void **state)
{
    int64_t ms;
    uint64_t bytes;

    (void)state;
    setlocale(LC_ALL, "tr_TR.UTF-8");
    assert_int_equal(parse_time("1.5s", &ms), 0);
    assert_int_equal(ms, 1500);
    assert_int_equal(parse_size("1.5MiB", &bytes), 0);
    assert_int_equal(parse_time("1,5s", &ms), PARLEY_USAGE);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_milliseconds),
        cmocka_unit_test(measured_times_are_nanoseconds),
        cmocka_unit_test(sizes_are_bytes),
        cmocka_unit_test(counts_are_thousands),
        cmocka_unit_test(what_is_no_quantity_is_refused),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(units_of_one_kind_are_not_of_another),
        cmocka_unit_test(the_locale_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
