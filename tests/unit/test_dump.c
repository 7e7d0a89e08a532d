/* The dump shows every byte, its place, and nothing that a terminal would obey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "command/dump.h"

static void a_full_line(void **state)
{
    (void)state;
    char line[DUMP_ROOM];
    dump_line(line, 0x10, (const unsigned char *)"helloworld\r\n\x1b|~\xff", 16);
    assert_string_equal(line,
                        "00000010  68 65 6c 6c 6f 77 6f 72  6c 64 0d 0a 1b 7c 7e ff  |helloworld...|~.|");
}

static void a_short_line_is_aligned(void **state)
{
    (void)state;
    char line[DUMP_ROOM];
    dump_line(line, 0, (const unsigned char *)"hi", 2);
    assert_string_equal(line, "00000000  68 69                                             |hi|");
    dump_line(line, 0, (const unsigned char *)"123456789", 9);
    assert_string_equal(line, "00000000  31 32 33 34 35 36 37 38  39                       |123456789|");
}

static void a_far_offset_fits(void **state)
{
    (void)state;
    char line[DUMP_ROOM];
    unsigned char bytes[DUMP_WIDTH];
    memset(bytes, 'x', sizeof bytes);
    dump_line(line, UINT64_MAX, bytes, sizeof bytes);
    assert_non_null(strstr(line, "ffffffffffffffff  78"));
    assert_non_null(strstr(line, "|xxxxxxxxxxxxxxxx|"));
}

static void offsets_go_on_in_each_direction(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    struct dump dump = {.out = open_memstream(&text, &size)};
    dump_bytes(&dump, DUMP_SENT, "127.0.0.1:3000", "0123456789abcdefXYZ", 19);
    dump_bytes(&dump, DUMP_RECEIVED, "127.0.0.1:3000", "a", 1);
    dump_bytes(&dump, DUMP_SENT, "127.0.0.1:3000", "b", 1);
    fclose(dump.out);
    assert_non_null(strstr(text, " sent 19 bytes to 127.0.0.1:3000\n  00000000  30 31"));
    assert_non_null(strstr(text, "\n  00000010  58 59 5a  "));
    assert_non_null(strstr(text, " received 1 byte from 127.0.0.1:3000\n  00000000  61 "));
    assert_non_null(strstr(text, " sent 1 byte to 127.0.0.1:3000\n  00000013  62 "));
    free(text);
}

static void off_or_empty_shows_nothing(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    struct dump dump = {.out = NULL};
    dump_bytes(&dump, DUMP_SENT, "x", "a", 1);
    dump.out = open_memstream(&text, &size);
    dump_bytes(&dump, DUMP_SENT, "x", "", 0);
    fclose(dump.out);
    assert_int_equal(size, 0);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_line),
        cmocka_unit_test(a_short_line_is_aligned),
        cmocka_unit_test(a_far_offset_fits),
        cmocka_unit_test(offsets_go_on_in_each_direction),
        cmocka_unit_test(off_or_empty_shows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
