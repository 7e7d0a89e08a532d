/* What reaches a terminal: text passes, commands do not, wherever the stream is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text/neutralise.h"

enum { LONGEST = 128 };

static size_t feed(struct neutraliser *state, const char *bytes, size_t size, char *out)
{
    return neutralise(state, bytes, size, out);
}

static void check_bytes(const char *bytes, size_t size, const char *expected)
{
    char out[NEUTRALISED_ROOM(LONGEST)];
    for (size_t cut = 0; cut <= size; cut++) {
        struct neutraliser state = {0};
        size_t length = feed(&state, bytes, cut, out);
        length += feed(&state, bytes + cut, size - cut, out + length);
        length += neutralise_end(&state, out + length);
        out[length] = '\0';
        assert_string_equal(out, expected);
    }
    struct neutraliser state = {0};
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        length += feed(&state, bytes + i, 1, out + length);
    length += neutralise_end(&state, out + length);
    out[length] = '\0';
    assert_string_equal(out, expected);
}

static void check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), expected);
}

static void text_passes(void **state)
{
    (void)state;
    check("hello\tworld\r\n", "hello\tworld\r\n");
    check("Grüße, 世界 🙂", "Grüße, 世界 🙂");
    check("\xc2\xa0\xdf\xbf\xe0\xa0\x80\xef\xbf\xbd\xf0\x90\x80\x80\xf4\x8f\xbf\xbd",
          "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xef\xbf\xbd\xf0\x90\x80\x80\xf4\x8f\xbf\xbd");
    check("a\\x41", "a\\x41");
}

static void commands_do_not_pass(void **state)
{
    (void)state;
    check("\x1b[2J", "\\x1b[2J");
    check("\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07");
    check("\b\v\f\x7f", "\\x08\\x0b\\x0c\\x7f");
    check_bytes("a\0b", 3, "a\\x00b");
}

static void c1_controls_do_not_pass(void **state)
{
    (void)state;
    check("\xc2\x9b"
          "31m",
          "\\xc2\\x9b31m");
    check("\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f");
    check("\x9b"
          "31m",
          "\\x9b31m");
}

static void reading_order_stays(void **state)
{
    (void)state;
    check("\u202e", "\\xe2\\x80\\xae");
    check("\u2066\u2069", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9");
    check("\u061c\u200e\u200f", "\\xd8\\x9c\\xe2\\x80\\x8e\\xe2\\x80\\x8f");
    check("\u2028\ufeff", "\\xe2\\x80\\xa8\\xef\\xbb\\xbf");
    check("\U000e0041", "\\xf3\\xa0\\x81\\x81");
}

static void what_is_no_utf8_is_shown(void **state)
{
    (void)state;
    check("\xc0\xaf", "\\xc0\\xaf"); /* overlong "/" */
    check("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
    check("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
    check("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
    check("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond U+10FFFF */
    check("\xf8\xff", "\\xf8\\xff");
    check("\x80", "\\x80");
}

static void a_broken_character_takes_nothing_with_it(void **state)
{
    (void)state;
    check("\xe4\xb8", "\\xe4\\xb8");
    check("\xe4\xb8x", "\\xe4\\xb8x");
    check("\xe4\xb8\x1b[m", "\\xe4\\xb8\\x1b[m");
    check("\xe4\xe4\xb8\x96", "\\xe4世");
    check("\xf0\x9f\x99\n", "\\xf0\\x9f\\x99\n");
}

static void a_whole_text_is_made_safe(void **state)
{
    (void)state;
    char *safe = neutralise_text("caf\xc3\xa9 \x1b[2J \xe2\x82");
    assert_string_equal(safe, "caf\xc3\xa9 \\x1b[2J \\xe2\\x82");
    free(safe);
    safe = neutralise_text("");
    assert_string_equal(safe, "");
    free(safe);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_passes),
        cmocka_unit_test(commands_do_not_pass),
        cmocka_unit_test(c1_controls_do_not_pass),
        cmocka_unit_test(reading_order_stays),
        cmocka_unit_test(what_is_no_utf8_is_shown),
        cmocka_unit_test(a_broken_character_takes_nothing_with_it),
        cmocka_unit_test(a_whole_text_is_made_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
