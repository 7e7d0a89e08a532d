/* Upper case: the same answer however the bytes are cut, and `end` at the right moment only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/upper.h"

struct conversation {
    struct upper upper;
    char answer[256];
    size_t size;
    bool over;
};

static void receive(struct conversation *conversation, const char *bytes, size_t size)
{
    if (!conversation->over) {
        conversation->size += upper_convert(&conversation->upper, bytes, size,
                                            conversation->answer + conversation->size, &conversation->over);
    }
}

static void check(const struct conversation *conversation, const char *answer, bool over)
{
    assert_int_equal(conversation->size, strlen(answer));
    assert_memory_equal(conversation->answer, answer, conversation->size);
    assert_int_equal(conversation->over, over);
}

/* Cut in three at every pair of places. `end` alone in one piece would end it earlier, so such texts
 * are tested apart. */
static void expect_however_cut(const char *text, const char *answer, bool over)
{
    const size_t size = strlen(text);

    for (size_t first = 0; first <= size; first++) {
        for (size_t second = first; second <= size; second++) {
            struct conversation conversation = {0};

            receive(&conversation, text, first);
            receive(&conversation, text + first, second - first);
            receive(&conversation, text + second, size - second);
            check(&conversation, answer, over);
        }
    }
}

static void expect_byte_by_byte(const char *text, const char *answer, bool over)
{
    struct conversation conversation = {0};

    for (const char *byte = text; *byte; byte++)
        receive(&conversation, byte, 1);
    check(&conversation, answer, over);
}

static void expect_whole(const char *text, const char *answer, bool over)
{
    struct conversation conversation = {0};

    receive(&conversation, text, strlen(text));
    check(&conversation, answer, over);
}

static void changes_ascii_letters_only(void **state)
{
    (void)state;
    expect_however_cut("abcxyz", "ABCXYZ", false);
    expect_however_cut("@[`{ AZ09\r\n", "@[`{ AZ09\r\n", false);
    expect_however_cut("gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x91\x8bx",
                       "GR\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x91\x8bX", false);
    expect_however_cut("\x80\xff\xfe z", "\x80\xff\xfe Z", false);
}

static void keeps_every_byte(void **state)
{
    char all[256], answer[256];
    struct upper upper = {0};
    bool over;

    (void)state;
    for (int byte = 0; byte < 256; byte++)
        all[byte] = (char)byte;
    assert_int_equal(upper_convert(&upper, all, sizeof all, answer, &over), sizeof all);
    assert_false(over);
    for (int byte = 0; byte < 256; byte++)
        assert_int_equal(answer[byte], byte >= 'a' && byte <= 'z' ? (char)(byte - 32) : (char)byte);
}

static void ends_at_the_line_end(void **state)
{
    (void)state;
    expect_byte_by_byte("end\n", "END\n", true);
    expect_byte_by_byte("end\r\n", "END\r\n", true);
    expect_whole("end\n", "END\n", true);
    expect_whole("end\r\n", "END\r\n", true);
    expect_byte_by_byte("hello\nend\nnot this", "HELLO\nEND\n", true);
    expect_whole("hello\nend\nnot this", "HELLO\nEND\n", true);
}

static void ends_when_the_line_comes_in_pieces(void **state)
{
    static const char *const pieces[][3] = {{"e", "nd\n", ""}, {"en", "d\n", ""}, {"e", "n", "d\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct conversation conversation = {0};

        for (size_t j = 0; j < 3; j++)
            receive(&conversation, pieces[i][j], strlen(pieces[i][j]));
        check(&conversation, "END\n", true);
    }
}

static void ends_at_a_message_that_is_end(void **state)
{
    struct conversation conversation = {0};

    (void)state;
    expect_whole("end", "END", true);
    receive(&conversation, "hello\n", 6);
    receive(&conversation, "end", 3);
    check(&conversation, "HELLO\nEND", true);
}

static void goes_on_at_anything_else(void **state)
{
    (void)state;
    expect_however_cut("END\n", "END\n", false);
    expect_however_cut(" end\n", " END\n", false);
    expect_however_cut("bend\nlend", "BEND\nLEND", false);
    expect_byte_by_byte("endless\n", "ENDLESS\n", false);
    expect_byte_by_byte("end \n", "END \n", false);
    expect_byte_by_byte("end\r\r\n", "END\r\r\n", false);
    expect_byte_by_byte("enend\n", "ENEND\n", false);
    expect_whole("hello\nend", "HELLO\nEND", false);
    expect_whole("en", "EN", false);
    expect_whole("", "", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_ascii_letters_only),    cmocka_unit_test(keeps_every_byte),
        cmocka_unit_test(ends_at_the_line_end),          cmocka_unit_test(ends_when_the_line_comes_in_pieces),
        cmocka_unit_test(ends_at_a_message_that_is_end), cmocka_unit_test(goes_on_at_anything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
