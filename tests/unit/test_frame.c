#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"
#include "framing/frame.h"

enum { HEARD = 1 << 16 };

/* What was delivered: each message as its length in four bytes and its payload. */
struct heard {
    unsigned char bytes[HEARD];
    size_t size, count;
    size_t refuse_after; /* messages taken before more are refused; 0: never */
    size_t since;        /* ... since the last refusal */
    const unsigned char *lent;
};

static bool hear(void *context, const void *payload, size_t size)
{
    struct heard *heard = context;
    uint32_t length = (uint32_t)size;

    assert_non_null(payload);
    assert_true(heard->size + size + sizeof length <= HEARD);
    memcpy(heard->bytes + heard->size, &length, sizeof length);
    memcpy(heard->bytes + heard->size + sizeof length, payload, size);
    heard->size += size + sizeof length;
    heard->count++;
    heard->lent = payload;
    if (heard->refuse_after > 0 && ++heard->since == heard->refuse_after) {
        heard->since = 0;
        return false;
    }
    return true;
}

static void assert_same(const struct heard *one, const struct heard *other)
{
    assert_int_equal(one->count, other->count);
    assert_int_equal(one->size, other->size);
    assert_memory_equal(one->bytes, other->bytes, one->size);
}

static struct framing parsed(const char *words)
{
    struct framing framing;

    if (framing_parse(&framing, words) != 0)
        fail_msg("%s: %s", words, parley_error());
    return framing;
}

/* ---- allocation, counted and failing -------------------------------------------------------- */

static struct sys before;
static unsigned allocations, failing;
static size_t largest;

static void *counted_realloc(void *memory, size_t size)
{
    allocations++;
    largest = size > largest ? size : largest;
    return failing > 0 && allocations >= failing ? NULL : realloc(memory, size);
}

static int count_allocations(void **state)
{
    (void)state;
    before = sys;
    sys.realloc = counted_realloc;
    allocations = failing = 0;
    largest = 0;
    return 0;
}

static int restore_allocations(void **state)
{
    (void)state;
    sys = before;
    return 0;
}

/* ---- the naive reference -------------------------------------------------------------------- */

enum verdict { MORE, BROKEN, MESSAGE };

static enum verdict refer_length(const struct framing *framing, const unsigned char *bytes, size_t size,
                                 size_t *prefix, uint64_t *length)
{
    size_t width = framing->kind == FRAMING_U16BE ? 2 : 4;
    unsigned __int128 value = 0;

    if (framing->kind != FRAMING_VARINT) {
        for (size_t i = 0; i < width && i < size; i++)
            value = value * 256 + bytes[i];
        *prefix = width;
        *length = (uint64_t)value;
        return size < width ? MORE : MESSAGE;
    }
    for (size_t i = 0; i < size && i < 10; i++) {
        value += (unsigned __int128)(bytes[i] % 128) << (7 * i);
        if (value > UINT64_MAX || (i == 9 && bytes[i] >= 128))
            return BROKEN;
        if (bytes[i] < 128) {
            *prefix = i + 1;
            *length = (uint64_t)value;
            return i > 0 && bytes[i] == 0 ? BROKEN : MESSAGE;
        }
    }
    return MORE;
}

static enum verdict refer_delimited(const struct framing *framing, const unsigned char *bytes, size_t size,
                                    size_t *payload, size_t *whole)
{
    for (size_t i = 0; i + framing->delimiter_size <= size; i++) {
        if (memcmp(bytes + i, framing->delimiter, framing->delimiter_size) == 0) {
            bool cr = framing->kind == FRAMING_LINE && i > 0 && bytes[i - 1] == '\r';
            *payload = i - cr;
            *whole = i + framing->delimiter_size;
            return *payload > framing->max ? BROKEN : MESSAGE;
        }
    }
    return MORE;
}

static enum verdict refer(const struct framing *framing, const unsigned char *bytes, size_t size,
                          size_t *offset, size_t *payload, size_t *whole)
{
    uint64_t length = 0;
    enum verdict verdict;

    *offset = 0;
    if (framing->kind == FRAMING_LINE || framing->kind == FRAMING_DELIMITER)
        return refer_delimited(framing, bytes, size, payload, whole);
    if (framing->kind == FRAMING_FIXED) {
        *payload = *whole = framing->max;
        return size < framing->max ? MORE : MESSAGE;
    }
    verdict = refer_length(framing, bytes, size, offset, &length);
    if (verdict != MESSAGE || length > framing->max)
        return verdict == MORE ? MORE : BROKEN;
    *payload = (size_t)length;
    *whole = *offset + *payload;
    return size < *whole ? MORE : MESSAGE;
}

/* True unless the stream certainly breaks the framing; `rest` is what no message took. */
static bool refer_stream(const struct framing *framing, const unsigned char *bytes, size_t size,
                         struct heard *heard, size_t *rest)
{
    size_t offset, payload, whole;
    enum verdict verdict;

    *heard = (struct heard){.size = 0};
    while ((verdict = refer(framing, bytes, size, &offset, &payload, &whole)) == MESSAGE && size > 0) {
        hear(heard, bytes + offset, payload);
        bytes += whole;
        size -= whole;
    }
    *rest = size;
    return verdict != BROKEN;
}

/* ---- feeding in pieces ---------------------------------------------------------------------- */

struct fed {
    struct heard heard;
    struct frame *partial;
    int status;
};

/* Each piece is copied to a block of its own size, so that a sanitizer sees a byte read beyond it. */
static void feed(const struct framing *framing, struct fed *fed, const unsigned char *bytes, size_t size)
{
    unsigned char *piece = size > 0 ? malloc(size) : NULL;

    if (size > 0)
        memcpy(piece, bytes, size);
    if (fed->status == 0)
        fed->status = frame_feed(framing, &fed->partial, piece, size, hear, &fed->heard);
    free(piece);
}

static void begin(struct fed *fed)
{
    fed->heard.size = fed->heard.count = fed->heard.since = fed->heard.refuse_after = 0;
    fed->partial = NULL;
    fed->status = 0;
}

static const char *const all_words[] = {
    "line",  "line max=5",  "delim=\\r\\n",   "delim=aba max=9", "delim=\\0", "fixed=1",        "fixed=7",
    "u16be", "u16be max=9", "u32be max=1MiB", "varint max=300",  "varint",    "delim=aa max=4",
};
enum { ALL_WORDS = sizeof all_words / sizeof all_words[0] };

static size_t append_message(const struct framing *framing, unsigned char *stream, size_t used,
                             const unsigned char *payload, size_t size)
{
    struct frame_envelope envelope;

    if (frame_wrap(framing, payload, size, &envelope) != 0)
        return used;
    memcpy(stream + used, envelope.prefix, envelope.prefix_size);
    used += envelope.prefix_size;
    memcpy(stream + used, payload, size);
    used += size;
    if (envelope.suffix_size > 0)
        memcpy(stream + used, envelope.suffix, envelope.suffix_size);
    return used + envelope.suffix_size;
}

/* A stream of messages as this side would send them; refused ones are left out. */
static size_t compose(const struct framing *framing, unsigned char *stream, struct heard *sent)
{
    static const char *const payloads[] = {"hello",   "",        "a",        "abab", "a\r",
                                           "seven77", "1234567", "last one", "x"};
    unsigned char longer[260];
    size_t used = 0;

    memset(longer, 'm', sizeof longer);
    for (size_t i = 0; i <= sizeof payloads / sizeof payloads[0]; i++) {
        bool is_long = i == sizeof payloads / sizeof payloads[0];
        const unsigned char *payload = is_long ? longer : (const unsigned char *)payloads[i];
        size_t size = is_long ? sizeof longer : strlen(payloads[i]);
        size_t after = append_message(framing, stream, used, payload, size);
        if (after > used) {
            bool loses_cr = framing->kind == FRAMING_LINE && size > 0 && payload[size - 1] == '\r';
            hear(sent, payload, size - loses_cr);
        }
        used = after;
    }
    return used;
}

/* ---- the tests ------------------------------------------------------------------------------ */

static void what_is_sent_arrives_split_at_every_byte(void **state)
{
    static struct fed fed;
    static struct heard sent;
    unsigned char stream[2048];

    (void)state;
    for (size_t i = 0; i < ALL_WORDS; i++) {
        const struct framing framing = parsed(all_words[i]);
        size_t size;

        sent = (struct heard){.size = 0};
        size = compose(&framing, stream, &sent);
        for (size_t cut = 0; cut <= size; cut++) {
            begin(&fed);
            feed(&framing, &fed, stream, cut);
            feed(&framing, &fed, stream + cut, size - cut);
            assert_int_equal(fed.status, 0);
            assert_null(fed.partial);
            assert_same(&fed.heard, &sent);
        }
        begin(&fed);
        for (size_t at = 0; at < size; at++)
            feed(&framing, &fed, stream + at, 1);
        assert_same(&fed.heard, &sent);
    }
}

/* Bytes that often spell delimiters and small lengths. */
static size_t random_stream(unsigned char *stream, size_t most)
{
    static const unsigned char alphabet[] = {'a', 'b', '\n', '\r', 0, 0, 1, 2, 5, 0x80, 0xff};
    size_t size = (size_t)rand() % most;

    for (size_t i = 0; i < size; i++)
        stream[i] = rand() % 3 == 0 ? 'a' : alphabet[(size_t)rand() % sizeof alphabet];
    return size;
}

static void feed_in_random_pieces(const struct framing *framing, struct fed *fed, const unsigned char *stream,
                                  size_t size)
{
    for (size_t at = 0, step; at < size && fed->status == 0; at += step) {
        step = 1 + (size_t)rand() % 20;
        step = step < size - at ? step : size - at;
        feed(framing, fed, stream + at, step);
        while (fed->heard.refuse_after > 0 && fed->status == 0 && rand() % 2)
            feed(framing, fed, stream, 0);
    }
}

static void resume_until_nothing_comes(const struct framing *framing, struct fed *fed)
{
    size_t count;

    do {
        count = fed->heard.count;
        feed(framing, fed, NULL, 0);
    } while (fed->heard.count > count && fed->status == 0);
}

static void random_pieces_agree_with_the_reference(void **state)
{
    static struct fed fed;
    static struct heard expected;
    unsigned char stream[300];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        const struct framing framing = parsed(all_words[round % ALL_WORDS]);
        size_t rest, size = random_stream(stream, sizeof stream);
        bool whole = refer_stream(&framing, stream, size, &expected, &rest);

        begin(&fed);
        fed.heard.refuse_after = rand() % 2 ? 1 + (size_t)rand() % 3 : 0;
        feed_in_random_pieces(&framing, &fed, stream, size);
        resume_until_nothing_comes(&framing, &fed);
        assert_same(&fed.heard, &expected);
        if (!whole) {
            assert_int_equal(fed.status, PARLEY_NETWORK);
        } else if (fed.status == 0) {
            assert_int_equal(frame_kept(fed.partial), rest);
        } else {
            /* Early: too long already, though its delimiter has not come. */
            assert_true(framing.delimiter_size > 0 && rest > framing.max);
        }
        frame_free(&fed.partial);
    }
}

static void a_whole_message_is_lent_where_it_lies(void **state)
{
    static struct heard heard;
    const struct framing framing = parsed("u16be");
    const unsigned char stream[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 1};
    struct frame *partial = NULL;

    (void)state;
    heard = (struct heard){.size = 0};
    assert_int_equal(frame_feed(&framing, &partial, stream, 7, hear, &heard), 0);
    assert_int_equal(heard.count, 2);
    assert_ptr_equal(heard.lent, stream + 7);
    assert_int_equal(allocations, 0);
    assert_int_equal(frame_feed(&framing, &partial, stream + 7, 2, hear, &heard), 0);
    assert_int_equal(allocations, 1);
    assert_int_equal(frame_kept(partial), 2);
    frame_free(&partial);
}

static int feed_hex(const char *words, const char *hex, size_t *kept)
{
    static struct fed fed;
    const struct framing framing = parsed(words);
    unsigned char bytes[64];
    size_t size = strlen(hex) / 2;

    for (size_t i = 0; i < size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    begin(&fed);
    feed(&framing, &fed, bytes, size);
    *kept = frame_kept(fed.partial);
    frame_free(&fed.partial);
    return fed.status;
}

static void claimed_lengths_are_checked_and_allocate_nothing(void **state)
{
    static const struct {
        const char *words, *hex;
        int status;
    } rows[] = {
        {"u32be", "00000000", 0},
        {"u32be", "00ffffff", 0},
        {"u32be", "01000000", 0},
        {"u32be", "01000001", PARLEY_NETWORK},
        {"u32be", "80000000", PARLEY_NETWORK},
        {"u32be", "ffffffff", PARLEY_NETWORK},
        {"u32be max=4294967295", "ffffffff", 0},
        {"u16be", "ffff", 0},
        {"u16be max=10", "000b", PARLEY_NETWORK},
        {"varint", "00", 0},
        {"varint", "80808008", 0},
        {"varint", "81808008", PARLEY_NETWORK},
        {"varint", "8080808008", PARLEY_NETWORK},
        {"varint", "ffffffffffffffffff01", PARLEY_NETWORK},
        {"varint max=1TiB", "ffffffffffffffffff01", PARLEY_NETWORK},
        {"varint", "ffffffffffffffffff02", PARLEY_NETWORK},
        {"varint", "8080808080808080808000", PARLEY_NETWORK},
        {"varint", "8000", PARLEY_NETWORK},
        {"varint", "858000", PARLEY_NETWORK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t kept;
        int status = feed_hex(rows[i].words, rows[i].hex, &kept);
        if (status != rows[i].status)
            fail_msg("%s %s: %d", rows[i].words, rows[i].hex, status);
        assert_true(kept <= 10);
    }
    assert_true(largest <= 128);
}

static void an_endless_line_is_refused_at_its_limit(void **state)
{
    static struct fed fed;
    const struct framing framing = parsed("line max=4KiB");
    unsigned char zeros[1000] = {0};
    size_t fed_bytes = 0;

    (void)state;
    begin(&fed);
    while (fed.status == 0) {
        feed(&framing, &fed, zeros, sizeof zeros);
        fed_bytes += sizeof zeros;
        assert_true(fed_bytes <= 5000);
    }
    assert_int_equal(fed.status, PARLEY_NETWORK);
    assert_string_equal(parley_error(), "line longer than 4096 bytes");
    assert_int_equal(fed.heard.count, 0);
    assert_true(largest <= 16384);
    frame_free(&fed.partial);
}

static void the_limit_counts_the_payload_alone(void **state)
{
    static struct fed fed;
    const struct framing framing = parsed("line max=4");

    (void)state;
    begin(&fed);
    feed(&framing, &fed, (const unsigned char *)"1234\r", 5);
    assert_int_equal(fed.status, 0);
    feed(&framing, &fed, (const unsigned char *)"\n1234\n12345", 11);
    assert_int_equal(fed.heard.count, 2);
    assert_int_equal(fed.status, PARLEY_NETWORK);
    frame_free(&fed.partial);
}

static void bytes_one_by_one_cost_few_allocations(void **state)
{
    static struct heard heard;
    const struct framing framing = parsed("line max=32KiB");
    struct frame *partial = NULL;

    (void)state;
    heard = (struct heard){.size = 0};
    for (int i = 0; i < 32768; i++)
        assert_int_equal(frame_feed(&framing, &partial, "x", 1, hear, &heard), 0);
    assert_int_equal(frame_feed(&framing, &partial, "\n", 1, hear, &heard), 0);
    assert_int_equal(heard.count, 1);
    assert_true(allocations <= 20);
    assert_true(largest <= 2 * 32768 + 128);
    assert_null(partial);
}

static void refused_messages_wait(void **state)
{
    static struct heard heard;
    const struct framing framing = parsed("line");
    struct frame *partial = NULL;

    (void)state;
    heard = (struct heard){.refuse_after = 1};
    assert_int_equal(frame_feed(&framing, &partial, "one\ntwo\nthree\nfo", 16, hear, &heard), 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(frame_kept(partial), 12);
    assert_int_equal(frame_feed(&framing, &partial, NULL, 0, hear, &heard), 0);
    assert_int_equal(heard.count, 2);
    assert_int_equal(frame_feed(&framing, &partial, "ur\nfive", 7, hear, &heard), 0);
    assert_int_equal(heard.count, 3);
    assert_int_equal(frame_feed(&framing, &partial, NULL, 0, hear, &heard), 0);
    assert_int_equal(heard.count, 4);
    assert_memory_equal(heard.bytes + heard.size - 4, "four", 4);
    frame_finish(&framing, &partial, hear, &heard);
    assert_memory_equal(heard.bytes + heard.size - 4, "five", 4);
    assert_null(partial);
}

/* A handler that pauses at the very end of the input leaves lines behind; they stay lines. */
static void the_end_does_not_join_lines(void **state)
{
    static struct heard heard;
    const struct framing framing = parsed("line");
    struct frame *partial = NULL;

    (void)state;
    heard = (struct heard){.refuse_after = 1};
    frame_feed(&framing, &partial, "1\n2\n3\r", 6, hear, &heard);
    frame_finish(&framing, &partial, hear, &heard);
    assert_int_equal(heard.count, 2);
    frame_finish(&framing, &partial, hear, &heard);
    assert_int_equal(heard.count, 3);
    assert_int_equal(heard.bytes[heard.size - 1], '3');
    assert_null(partial);
}

static void the_end_inside_a_message_is_told(void **state)
{
    static struct heard heard;
    static const struct {
        const char *words;
        bool open;
    } rows[] = {{"line", false}, {"delim=;", true}, {"fixed=9", true}, {"u16be", true}, {"varint", true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct framing framing = parsed(rows[i].words);
        struct frame *partial = NULL;

        heard = (struct heard){.size = 0};
        assert_false(frame_is_open(&framing, partial));
        assert_int_equal(frame_feed(&framing, &partial, "\x05", 1, hear, &heard), 0);
        assert_int_equal(frame_is_open(&framing, partial), rows[i].open);
        frame_finish(&framing, &partial, hear, &heard);
        assert_int_equal(heard.count, !rows[i].open);
        frame_free(&partial);
    }
}

static void raw_passes_everything_on(void **state)
{
    static struct heard heard;
    const struct framing framing = parsed(NULL);
    struct frame *partial = NULL;

    (void)state;
    heard = (struct heard){.size = 0};
    assert_int_equal(frame_feed(&framing, &partial, "a\nb\0c", 5, hear, &heard), 0);
    assert_int_equal(heard.count, 1);
    assert_null(partial);
    assert_int_equal(allocations, 0);
}

static void a_failed_allocation_loses_no_memory(void **state)
{
    static struct heard heard;
    unsigned char piece[64];

    (void)state;
    memset(piece, 'z', sizeof piece);
    for (size_t i = 0; i < ALL_WORDS; i++) {
        const struct framing framing = parsed(all_words[i]);
        unsigned needed = 1;

        for (failing = 1; failing <= needed; failing++) {
            struct frame *partial = NULL;
            int status = 0;

            allocations = 0;
            heard = (struct heard){.size = 0};
            for (size_t at = 0; at < sizeof piece && status == 0; at++)
                status = frame_feed(&framing, &partial, piece + at, 1, hear, &heard);
            frame_free(&partial);
            if (status == PARLEY_RESOURCE)
                needed = failing + 1;
        }
        failing = 0;
    }
}

static void what_cannot_be_told_apart_is_not_sent(void **state)
{
    static const struct {
        const char *words, *payload;
        int status;
    } rows[] = {
        {"line", "one line", 0},
        {"line", "two\nlines", PARLEY_USAGE},
        {"line max=3", "four", PARLEY_USAGE},
        {"delim=\\r\\n", "a\rb\nc", 0},
        {"delim=\\r\\n", "a\r\nb", PARLEY_USAGE},
        {"delim=\\r\\n", "a\r", 0},
        {"delim=aa", "xa", PARLEY_USAGE},
        {"delim=aba", "xab", PARLEY_USAGE},
        {"delim=aba", "xb", 0},
        {"fixed=4", "four", 0},
        {"fixed=4", "fiver", PARLEY_USAGE},
        {"fixed=4", "", PARLEY_USAGE},
        {"u16be max=2", "abc", PARLEY_USAGE},
        {"raw", "anything\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct framing framing = parsed(rows[i].words);
        struct frame_envelope envelope;
        int status = frame_wrap(&framing, rows[i].payload, strlen(rows[i].payload), &envelope);
        if (status != rows[i].status)
            fail_msg("%s \"%s\": %d", rows[i].words, rows[i].payload, status);
    }
}

static void words_are_understood(void **state)
{
    (void)state;
    assert_int_equal(parsed("raw").kind, FRAMING_RAW);
    assert_int_equal(parsed("line").max, 65536);
    assert_int_equal(parsed("line max=512").max, 512);
    assert_int_equal(parsed("  line   max=2KiB ").max, 2048);
    assert_int_equal(parsed("u16be").max, 65535);
    assert_int_equal(parsed("u32be").max, 16 << 20);
    assert_int_equal(parsed("u32be max=4294967295").max, UINT32_MAX);
    assert_int_equal(parsed("varint max=1GiB").max, 1 << 30);
    assert_int_equal(parsed("fixed=64").max, 64);
    assert_int_equal(parsed("delim=\\r\\n max=4KiB").delimiter_size, 2);
    assert_memory_equal(parsed("delim=\\x1f\\0\\t\\\\").delimiter, "\x1f\0\t\\", 4);
    assert_int_equal(parsed("delim=0123456789abcdef").delimiter_size, 16);
}

static void other_words_are_refused_with_a_reason(void **state)
{
    static const char *const refused[] = {
        "",
        "lines",
        "line max=0",
        "line max=",
        "line max=-1",
        "line max=1k",
        "line 512",
        "line=512",
        "fixed",
        "fixed=0",
        "fixed=",
        "fixed=4 max=4",
        "raw max=1",
        "delim",
        "delim=",
        "delim=\\q",
        "delim=\\x1",
        "delim=\\",
        "u64be",
        "u16be max=64KiB",
        "u32be max=4GiB",
        "varint max=2TiB",
        "LINE",
        "delim=0123456789abcdefg",
        "line max=99999999999999999999",
        "fixed=18446744073709551615",
    };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct framing framing;
        if (framing_parse(&framing, refused[i]) != PARLEY_USAGE)
            fail_msg("\"%s\" was taken", refused[i]);
        assert_int_equal(strncmp(parley_error(), "framing ", 8), 0);
    }
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, count_allocations, restore_allocations)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTED(what_is_sent_arrives_split_at_every_byte),
        COUNTED(random_pieces_agree_with_the_reference),
        COUNTED(a_whole_message_is_lent_where_it_lies),
        COUNTED(claimed_lengths_are_checked_and_allocate_nothing),
        COUNTED(an_endless_line_is_refused_at_its_limit),
        COUNTED(the_limit_counts_the_payload_alone),
        COUNTED(bytes_one_by_one_cost_few_allocations),
        COUNTED(refused_messages_wait),
        COUNTED(the_end_does_not_join_lines),
        COUNTED(the_end_inside_a_message_is_told),
        COUNTED(raw_passes_everything_on),
        COUNTED(a_failed_allocation_loses_no_memory),
        COUNTED(what_cannot_be_told_apart_is_not_sent),
        COUNTED(words_are_understood),
        COUNTED(other_words_are_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
