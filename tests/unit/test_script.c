/* The scripted side of a conversation: messages, line ends, and the text waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command/probe.h"
#include "command/script.h"

static void check_message(const char *text, uint64_t number, const char *expected)
{
    size_t size;
    char *message = script_message(text, number, &size);
    assert_non_null(message);
    assert_string_equal(message, expected);
    assert_int_equal(size, strlen(expected));
    free(message);
}

static void numbers_stand_for_themselves(void **state)
{
    (void)state;
    check_message("hello, server... %d", 1, "hello, server... 1");
    check_message("%d%d", 18446744073709551615U, "1844674407370955161518446744073709551615");
    check_message("100%%", 2, "100%");
    check_message("%%d", 7, "%d");
    check_message("", 1, "");
}

static void other_percent_signs_are_text(void **state)
{
    (void)state;
    check_message("%n%s%x%5d%ld", 3, "%n%s%x%5d%ld");
    check_message("50%", 3, "50%");
}

static void check_line_ends(const char *text, const char *expected)
{
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct line_ends ends = {false};
        char out[64];
        size_t size = line_ends_expand(&ends, text, cut, out);
        size += line_ends_expand(&ends, text + cut, strlen(text) - cut, out + size);
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(out, expected, size);
    }
}

static void line_feeds_become_pairs_once(void **state)
{
    (void)state;
    check_line_ends("a\nb\n", "a\r\nb\r\n");
    check_line_ends("a\r\nb\n\n", "a\r\nb\r\n\r\n");
    check_line_ends("\r\r\n\n", "\r\r\n\r\n");
    check_line_ends("", "");
}

/* Fed in two pieces, cut everywhere, and byte by byte: the outcome must be the same. */
static void check_until(const char *text, const char *stream, bool expected)
{
    size_t size = strlen(stream);
    for (size_t cut = 0; cut <= size; cut++) {
        struct until until = {.text = text};
        bool first = until_feed(&until, stream, cut);
        assert_int_equal(first || until_feed(&until, stream + cut, size - cut), expected);
    }
    struct until until = {.text = text};
    for (size_t i = 0; i < size; i++)
        until_feed(&until, stream + i, 1);
    assert_int_equal(until.seen, expected);
}

static void a_line_must_equal_the_text(void **state)
{
    (void)state;
    check_until("END", "END\n", true);
    check_until("END", "END\r\n", true);
    check_until("END", "hello\nEND\nmore", true);
    check_until("END", "THE END\n", false);
    check_until("END", "ENDING\n", false);
    check_until("END", "END \n", false);
    check_until("END", "END\r\r\n", false);
    check_until("END", "END\rX\n", false);
    check_until("END", "EN\nD\n", false);
    check_until("END", "END", false);
    check_until("", "a\n\n", true);
    check_until("", "a\nb\n", false);
    check_until("a\r", "a\r\n", true);
}

static void an_unterminated_line_can_be_whole(void **state)
{
    (void)state;
    struct until until = {.text = "END"};
    until_feed(&until, "x\nEN", 4);
    assert_false(until_is_whole(&until));
    until_feed(&until, "D", 1);
    assert_true(until_is_whole(&until));
    until_feed(&until, "S", 1);
    assert_false(until_is_whole(&until));
}

static void nothing_is_waited_for(void **state)
{
    (void)state;
    struct until until = {.text = NULL};
    assert_false(until_feed(&until, "\n\n", 2));
    assert_false(until_is_whole(&until));
}

static void check_range(const char *text, unsigned first, unsigned last)
{
    struct port_range range;
    assert_true(port_range_parse(&range, text));
    assert_int_equal(range.first, first);
    assert_int_equal(range.last, last);
}

static void port_ranges(void **state)
{
    (void)state;
    struct port_range range;
    check_range("22", 22, 22);
    check_range("20-25", 20, 25);
    check_range("65535-65535", 65535, 65535);
    static const char *const wrong[] = {"",    "0",        "65536", "25-20", "20-",
                                        "-20", "20-25-30", "ssh",   "20 ",   "1-70000"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(port_range_parse(&range, wrong[i]));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_stand_for_themselves),
        cmocka_unit_test(other_percent_signs_are_text),
        cmocka_unit_test(line_feeds_become_pairs_once),
        cmocka_unit_test(a_line_must_equal_the_text),
        cmocka_unit_test(an_unterminated_line_can_be_whole),
        cmocka_unit_test(nothing_is_waited_for),
        cmocka_unit_test(port_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
