/* What a load sends, and the comparing of what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <parley.h>

#include "load/message.h"

static void open_generated(struct messages *messages, size_t size, unsigned depth)
{
    struct load_plan plan = {.size = size, .depth = depth};
    assert_int_equal(messages_open(messages, &plan), 0);
}

/* ---- what is sent ---- */

static void generated_messages_differ_and_end_in_lf(void **state)
{
    struct messages messages;
    (void)state;
    open_generated(&messages, 64, 1);
    assert_true(messages.count > 500);
    for (size_t i = 0; i < messages.count; i++) {
        const unsigned char *message = messages_from(&messages, i);
        assert_int_equal(message[63], '\n');
        assert_null(memchr(message, '\n', 63));
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(message, messages_from(&messages, j), 64);
    }
    messages_close(&messages);
}

static void generated_messages_are_the_same_in_each_run(void **state)
{
    struct messages one, other;
    (void)state;
    open_generated(&one, 100, 3);
    open_generated(&other, 100, 3);
    assert_memory_equal(one.bytes, other.bytes, (one.count + one.most) * 100);
    messages_close(&one);
    messages_close(&other);
}

/* From any message on `depth` of them stand in a row, the first ones again behind the last. */
static void any_run_of_messages_stands_in_a_row(void **state)
{
    struct messages messages;
    (void)state;
    open_generated(&messages, 64, 40);
    for (uint64_t first = messages.count - 41; first < messages.count + 2; first++)
        for (uint64_t i = 0; i < 40; i++)
            assert_memory_equal(messages_from(&messages, first) + i * 64, messages_from(&messages, first + i),
                                64);
    messages_close(&messages);
}

static void a_large_message_is_alone(void **state)
{
    struct messages messages;
    (void)state;
    open_generated(&messages, 1 << 20, 2);
    assert_int_equal(messages.count, 1);
    assert_memory_equal(messages.bytes, messages.bytes + (1 << 20), 1 << 20);
    messages_close(&messages);
}

static void a_given_message_is_sent_as_it_is(void **state)
{
    struct load_plan plan = {.message = "a\0b", .size = 3, .depth = 4};
    struct messages messages;
    (void)state;
    assert_int_equal(messages_open(&messages, &plan), 0);
    assert_int_equal(messages.count, 1);
    assert_memory_equal(messages_from(&messages, 12345), "a\0ba\0ba\0ba\0b", 12);
    messages_close(&messages);
}

static void no_message_is_no_bytes(void **state)
{
    struct messages messages;
    (void)state;
    open_generated(&messages, 0, 1);
    assert_int_equal(messages.size, 0);
    assert_non_null(messages_from(&messages, 7));
    messages_close(&messages);
}

static void what_does_not_fit_into_memory_is_refused(void **state)
{
    struct messages messages;
    (void)state;
    struct load_plan plan = {.size = SIZE_MAX / 2, .depth = 4};
    assert_int_equal(messages_open(&messages, &plan), PARLEY_USAGE);
    assert_non_null(strstr(parley_error(), "do not fit into memory"));
    messages_close(&messages);
}

/* ---- what comes back ---- */

/* The endless stream that begins with message `first`, byte by byte. */
static unsigned char byte_at(const struct messages *messages, uint64_t first, uint64_t position)
{
    return messages_from(messages, first + position / messages->size)[position % messages->size];
}

static void check_piece(const struct messages *messages, uint64_t first, uint64_t position, size_t size)
{
    unsigned char *piece = malloc(size);
    assert_non_null(piece);
    for (size_t i = 0; i < size; i++)
        piece[i] = byte_at(messages, first, position + i);
    assert_true(messages_match(messages, first, position, piece, size));
    for (size_t i = 0; i < size; i += size / 7 + 1) { /* any byte that is wrong is found */
        piece[i] ^= 1;
        assert_false(messages_match(messages, first, position, piece, size));
        piece[i] ^= 1;
    }
    free(piece);
}

static void any_piece_of_the_stream_is_recognised(void **state)
{
    static const size_t sizes[] = {1, 63, 64, 65, 1000, 70000, 200000};
    struct messages messages;
    (void)state;
    open_generated(&messages, 64, 8);
    uint64_t period = messages.count * 64;
    const uint64_t positions[] = {0, 1, 63, 64, period - 65, period - 1, period, period + 1, 3 * period - 30};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof positions / sizeof *positions; j++) {
            check_piece(&messages, 0, positions[j], sizes[i]);
            check_piece(&messages, messages.count - 1, positions[j], sizes[i]);
            check_piece(&messages, 5 * messages.count + 3, positions[j], sizes[i]);
        }
    messages_close(&messages);
}

static void sizes_that_do_not_divide_the_period_are_no_matter(void **state)
{
    (void)state;
    for (size_t size = 1; size < 200; size += 13) {
        struct messages messages;
        open_generated(&messages, size, 1);
        uint64_t period = messages.count * size;
        check_piece(&messages, 2, period - size / 2 - 1, 3 * size + 1);
        messages_close(&messages);
    }
}

static void neighbours_are_told_apart(void **state)
{
    struct messages messages;
    (void)state;
    open_generated(&messages, 64, 1);
    assert_true(messages_match(&messages, 7, 0, messages_from(&messages, 7), 64));
    assert_false(messages_match(&messages, 0, 0, messages_from(&messages, 7), 64));
    assert_false(messages_match(&messages, 7, 64, messages_from(&messages, 7), 64));
    messages_close(&messages);
}

static void a_stream_of_days_does_not_overflow(void **state)
{
    struct messages messages;
    (void)state;
    open_generated(&messages, 64, 1);
    uint64_t period = messages.count * 64, far = UINT64_MAX / period / 2 * period;
    check_piece(&messages, 0, far + 100, 500);
    assert_true(messages_match(&messages, far + 3, 0, messages_from(&messages, far + 3), 64));
    messages_close(&messages);
}

static void nothing_matches(void **state)
{
    struct messages messages;
    (void)state;
    open_generated(&messages, 64, 1);
    assert_true(messages_match(&messages, 0, 17, "", 0));
    messages_close(&messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_messages_differ_and_end_in_lf),
        cmocka_unit_test(generated_messages_are_the_same_in_each_run),
        cmocka_unit_test(any_run_of_messages_stands_in_a_row),
        cmocka_unit_test(a_large_message_is_alone),
        cmocka_unit_test(a_given_message_is_sent_as_it_is),
        cmocka_unit_test(no_message_is_no_bytes),
        cmocka_unit_test(what_does_not_fit_into_memory_is_refused),
        cmocka_unit_test(any_piece_of_the_stream_is_recognised),
        cmocka_unit_test(sizes_that_do_not_divide_the_period_are_no_matter),
        cmocka_unit_test(neighbours_are_told_apart),
        cmocka_unit_test(a_stream_of_days_does_not_overflow),
        cmocka_unit_test(nothing_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
