#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/log.h"

static void assert_escaped(const char *bytes, size_t size, const char *expected)
{
    char text[256];
    size_t length = log_escape(text, sizeof text, bytes, size);

    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

#define ESCAPES(bytes, expected) assert_escaped(bytes, sizeof(bytes) - 1, expected)

static void printable_text_stays(void **state)
{
    (void)state;
    ESCAPES("", "");
    ESCAPES("Hello, \"world\" ~!", "Hello, \"world\" ~!");
    ESCAPES("grüße 你好 😀", "grüße 你好 😀");
    ESCAPES("\U0010fffd", "\U0010fffd");
}

static void control_bytes_are_shown(void **state)
{
    (void)state;
    ESCAPES("a\nb\rc\td\\e", "a\\nb\\rc\\td\\\\e");
    ESCAPES("\0\x01\x1b[31m\x7f", "\\x00\\x01\\x1b[31m\\x7f");
    ESCAPES("\a\b\v\f", "\\x07\\x08\\x0b\\x0c");
    ESCAPES("%n%s", "%n%s");
}

static void characters_that_steer_are_shown(void **state)
{
    (void)state;
    ESCAPES("\xc2\x9b"
            "31m",
            "\\xc2\\x9b31m");
    ESCAPES("a\xe2\x80\xaegnp.exe", "a\\xe2\\x80\\xaegnp.exe");
    ESCAPES("\xe2\x81\xa6x\xe2\x81\xa9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9");
    ESCAPES("\xd8\x9c", "\\xd8\\x9c");
    ESCAPES("\xe2\x80\xa8", "\\xe2\\x80\\xa8");
    ESCAPES("\xef\xbb\xbf", "\\xef\\xbb\\xbf");
    ESCAPES("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81");
}

static void invalid_utf8_is_shown_byte_by_byte(void **state)
{
    (void)state;
    ESCAPES("\xff\xfe", "\\xff\\xfe");
    ESCAPES("\x80", "\\x80");
    ESCAPES("\xc0\xaf", "\\xc0\\xaf");
    ESCAPES("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
    ESCAPES("\xed\xa0\x80", "\\xed\\xa0\\x80");
    ESCAPES("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
    ESCAPES("\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
    ESCAPES("\xe4\xbd", "\\xe4\\xbd");
    ESCAPES("\xe4\xbd"
            "a",
            "\\xe4\\xbd"
            "a");
}

static void nothing_is_cut_in_two(void **state)
{
    static const char bytes[] = "a\n\xe4\xbd\xa0\x01z";
    static const size_t ends[] = {0, 1, 3, 6, 10, 11};

    (void)state;
    for (size_t room = 1; room <= 12; room++) {
        char text[12];
        size_t taken, expected = 0;
        size_t length = escape_bytes(text, room, bytes, sizeof bytes - 1, "\\", &taken);

        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
            expected = ends[i] < room ? ends[i] : expected;
        assert_int_equal(length, expected);
        assert_int_equal(text[length], '\0');
        assert_int_equal(taken == sizeof bytes - 1, length == 11);
    }
}

static void no_room_is_no_writing(void **state)
{
    char text = 'x';

    (void)state;
    assert_int_equal(log_escape(&text, 0, "abc", 3), 0);
    assert_int_equal(text, 'x');
    assert_int_equal(log_escape(&text, 1, "abc", 3), 0);
    assert_int_equal(text, '\0');
}

/* Undoes what escaping did: nothing may be lost, and nothing may look like something else. */
static size_t unescape(unsigned char *bytes, const char *text)
{
    size_t size = 0;

    while (*text != '\0') {
        if (*text != '\\') {
            bytes[size++] = (unsigned char)*text++;
            continue;
        }
        if (text[1] == 'x') {
            char digits[3] = {text[2], text[3], '\0'};
            bytes[size++] = (unsigned char)strtoul(digits, NULL, 16);
            text += 4;
        } else {
            bytes[size++] = text[1] == 'n' ? '\n' : text[1] == 'r' ? '\r' : text[1] == 't' ? '\t' : '\\';
            text += 2;
        }
    }
    return size;
}

static void random_bytes_come_back(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        unsigned char bytes[32], back[32];
        char text[129];
        size_t size = (size_t)rand() % sizeof bytes;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)(rand() % 2 ? rand() : 0x80 + rand() % 0x60);
        log_escape(text, sizeof text, bytes, size);
        for (const char *at = text; *at != '\0'; at++)
            assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
        assert_int_equal(unescape(back, text), size);
        assert_memory_equal(back, bytes, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_text_stays),
        cmocka_unit_test(control_bytes_are_shown),
        cmocka_unit_test(characters_that_steer_are_shown),
        cmocka_unit_test(invalid_utf8_is_shown_byte_by_byte),
        cmocka_unit_test(nothing_is_cut_in_two),
        cmocka_unit_test(no_room_is_no_writing),
        cmocka_unit_test(random_bytes_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
