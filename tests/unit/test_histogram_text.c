#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <parley.h>
#include <zlib.h>

#include "load/base64.h"
#include "load/histogram.h"
#include "recorded.h"

/* What HdrHistogram 2.1.11 for Java writes of the values in record_some(), and of none. */
static const char some[] =
    "HISTFAAAAD14nJNpmSzMwMAgyQABzFCakYHBb8pEfwYG+w8QASYGppP8TCvDVrw48XI6+2GPCcyXbzMxbfdkAQA9cQ5l";
static const char none[] = "HISTFAAAACF4nJNpmSzMwMDAyAABzFAayPebMtGfgcH+A1QEAFRwBD0=";

static void record_some(void)
{
    histogram_record(&recorded, 0);
    histogram_record(&recorded, 2);
    histogram_record(&recorded, 1000);
    histogram_record_many(&recorded, 1000000, 200);
    histogram_record_many(&recorded, 45000, 123456789012);
    histogram_record(&recorded, 3600000000000);
    histogram_record_many(&recorded, HISTOGRAM_MOST, 2);
}

/* ---- base64 ---- */

static void base64_is_the_standard_one(void **state)
{
    /* The examples of RFC 4648. */
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char bytes[BASE64_ROOM(8)];
        size_t size = 99, length = strlen(rows[i][0]);
        char *text = base64_encode(rows[i][0], length);
        assert_string_equal(text, rows[i][1]);
        assert_int_equal(base64_decode(text, bytes, &size), 0);
        assert_int_equal(size, length);
        assert_memory_equal(bytes, rows[i][0], length);
        free(text);
    }
}

static void base64_of_every_byte_comes_back(void **state)
{
    unsigned char bytes[256], back[BASE64_ROOM(344)];
    size_t size = 0;
    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)(255 - i);
    char *text = base64_encode(bytes, sizeof bytes);
    assert_int_equal(strlen(text), 344);
    assert_int_equal(base64_decode(text, back, &size), 0);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(back, bytes, sizeof bytes);
    free(text);
}

static void what_is_no_base64_is_refused(void **state)
{
    static const char *const refused[] = {
        "Z",    "Zg",   "Zg=",      "=",    "====",       "Z===", "Zg==Zg==",
        "Zm9-", "Zm9 ", "Zm9v\nZ=", "Zm=v", "\xc3\xa9Zm", "=Zm9"};
    unsigned char bytes[16];
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (base64_decode(refused[i], bytes, &size) == 0)
            fail_msg("\"%s\" was taken", refused[i]);
}

/* ---- the V2 encoding ---- */

static void it_writes_what_hdrhistogram_writes(void **state)
{
    (void)state;
    char *text = histogram_encode(&recorded);
    assert_string_equal(text, none);
    free(text);
    record_some();
    text = histogram_encode(&recorded);
    assert_string_equal(text, some);
    free(text);
}

static void it_reads_what_hdrhistogram_writes(void **state)
{
    struct histogram read;
    (void)state;
    record_some();
    assert_int_equal(histogram_open(&read), 0);
    assert_int_equal(histogram_decode(&read, none), 0);
    assert_int_equal(read.total, 0);
    assert_int_equal(histogram_decode(&read, some), 0);
    assert_memory_equal(read.counts, recorded.counts, HISTOGRAM_COUNTERS * sizeof *read.counts);
    assert_int_equal(read.total, recorded.total);
    assert_int_equal(read.least, 0);
    assert_int_equal(read.most, HISTOGRAM_MOST);
    histogram_close(&read);
}

static void decoding_adds(void **state)
{
    (void)state;
    record_some();
    uint64_t once = recorded.total;
    assert_int_equal(histogram_decode(&recorded, some), 0);
    assert_int_equal(recorded.total, 2 * once);
    assert_int_equal(recorded.counts[histogram_index(1000)], 2);
}

/* A counter of each size that its number can take, and runs of empty ones between them. */
static void counters_of_every_size_come_back(void **state)
{
    struct histogram read;
    (void)state;
    for (unsigned bits = 0; bits < 62; bits++)
        histogram_record_many(&recorded, (uint64_t)bits * bits * bits * 1000, UINT64_C(1) << bits);
    char *text = histogram_encode(&recorded);
    assert_int_equal(histogram_open(&read), 0);
    assert_int_equal(histogram_decode(&read, text), 0);
    assert_memory_equal(read.counts, recorded.counts, HISTOGRAM_COUNTERS * sizeof *read.counts);
    histogram_close(&read);
    free(text);
}

/* ---- texts that are wrong ---- */

/* The parts of an encoding, so that each can be made wrong. */
static void put(unsigned char *at, uint64_t value, int size)
{
    for (int i = size - 1; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)value;
}

static size_t header(unsigned char *payload, uint32_t counters_size)
{
    put(payload, 0x1c849313, 4);
    put(payload + 4, counters_size, 4);
    put(payload + 8, 0, 4);
    put(payload + 12, 3, 4);
    put(payload + 16, 1, 8);
    put(payload + 24, HISTOGRAM_MOST, 8);
    put(payload + 32, 0x3ff0000000000000, 8);
    return 40;
}

static char *wrapped(const unsigned char *payload, size_t size, uint32_t cookie, int64_t excess)
{
    uLongf packed = compressBound(size);
    unsigned char *whole = malloc(8 + packed);
    assert_int_equal(compress(whole + 8, &packed, payload, size), Z_OK);
    put(whole, cookie, 4);
    put(whole + 4, (uint64_t)((int64_t)packed + excess), 4);
    char *text = base64_encode(whole, 8 + packed);
    free(whole);
    return text;
}

static void refused_as(char *text, const char *words)
{
    histogram_record(&recorded, 77);
    int status = histogram_decode(&recorded, text);
    if (status != PARLEY_USAGE || !strstr(parley_error(), words))
        fail_msg("%.60s: %d, %s; not \"%s\"", text, status, parley_error(), words);
    assert_int_equal(recorded.total, 1);
    assert_int_equal(recorded.counts[histogram_index(77)], 1);
    histogram_clear(&recorded);
    free(text);
}

/* A payload with this much behind its header, and one field of the header overwritten. */
static void counters_refused_as(const void *counters, size_t size, const char *words)
{
    unsigned char *payload = malloc(40 + size);
    if (!payload) {
        fail_msg("no memory");
        return;
    }
    header(payload, (uint32_t)size);
    memcpy(payload + 40, counters, size);
    refused_as(wrapped(payload, 40 + size, 0x1c849314, 0), words);
    free(payload);
}

static void header_refused_as(size_t offset, uint64_t value, int size, const char *words)
{
    unsigned char payload[41] = {0};
    header(payload, 1);
    put(payload + offset, value, size);
    refused_as(wrapped(payload, sizeof payload, 0x1c849314, 0), words);
}

static void a_wrong_header_is_refused(void **state)
{
    (void)state;
    header_refused_as(0, 0x1c849303, 4, "its cookie is 0x1c849303, not 0x1c849313");
    header_refused_as(4, 2, 4, "says that its counters take 2 bytes, and they take 1");
    header_refused_as(4, UINT32_MAX, 4, "take 4294967295 bytes");
    header_refused_as(8, 1, 4, "shifted or scaled");
    header_refused_as(12, 2, 4, "of 2 significant digits from 1 on: only 3 digits from 1 on are read");
    header_refused_as(16, 1000, 8, "of 3 significant digits from 1000 on");
    header_refused_as(32, 0x3fe0000000000000, 8, "shifted or scaled");
}

static void a_wrong_wrapping_is_refused(void **state)
{
    unsigned char payload[40];
    (void)state;
    header(payload, 0);
    refused_as(strdup(""), "ends in its header");
    refused_as(strdup("HISTFAAA"), "ends in its header");
    refused_as(strdup("not base64"), "no base64");
    refused_as(wrapped(payload, 40, 0x1c849304, 0), "its cookie is 0x1c849304, not 0x1c849314");
    refused_as(wrapped(payload, 40, 0x1c849314, 1), "says that it has");
    refused_as(wrapped(payload, 40, 0x1c849314, -1), "says that it has");
    refused_as(wrapped(payload, 39, 0x1c849314, 0), "ends in its header");
    refused_as(base64_encode("\x1c\x84\x93\x14\0\0\0\4junk", 12), "it is damaged");
}

static void counters_that_cannot_be_are_refused(void **state)
{
    (void)state;
    counters_refused_as("\x80", 1, "in the middle of a counter");
    counters_refused_as("\x02\xff\xff\xff", 4, "in the middle of a counter");
    /* 39000 empty ones; the most negative number of all; a value in the last counter of all. */
    counters_refused_as("\xaf\xe1\x04\x02", 4, "above 24 hours");
    counters_refused_as("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, "above 24 hours");
    counters_refused_as("\xfd\xdf\x04\x02", 4, "above 24 hours");
    /* Twice the largest number. */
    counters_refused_as("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 18,
                        "more than can be");
}

static void no_prefix_is_taken(void **state)
{
    (void)state;
    for (size_t length = 0; length < strlen(some); length++) {
        char *text = strndup(some, length);
        assert_int_equal(histogram_decode(&recorded, text), PARLEY_USAGE);
        free(text);
    }
}

/* 8 MB of zeros become 8 kB: they are not unpacked. */
static void a_bomb_does_not_go_off(void **state)
{
    size_t size = 8 << 20;
    unsigned char *payload = calloc(1, size);
    (void)state;
    if (!payload) {
        fail_msg("no memory");
        return;
    }
    header(payload, (uint32_t)size - 40);
    refused_as(wrapped(payload, size, 0x1c849314, 0), "too large");
    free(payload);
}

static void an_endless_text_is_refused(void **state)
{
    size_t length = 4 << 20;
    char *text = malloc(length + 1);
    (void)state;
    memset(text, 'A', length);
    text[length] = '\0';
    refused_as(text, "4194304 characters are too many");
}

/* ---- the percentile distribution and the log ---- */

static char *printed(int (*print)(const struct histogram *, FILE *))
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(print(&recorded, out), 0);
    fclose(out);
    return text;
}

/* Byte for byte what HdrHistogram's outputPercentileDistribution(out, 5, 1000000.0) prints. */
static void the_distribution_is_that_of_hdrhistogram(void **state)
{
    static const char expected[] = "       Value     Percentile TotalCount 1/(1-Percentile)\n"
                                   "\n"
                                   "       0.045 0.000000000000          2           1.00\n"
                                   "       0.045 0.100000000000          2           1.11\n"
                                   "       0.045 0.200000000000          2           1.25\n"
                                   "       0.045 0.300000000000          2           1.43\n"
                                   "       0.045 0.400000000000          2           1.67\n"
                                   "       0.045 0.500000000000          2           2.00\n"
                                   "       1.000 0.550000000000          3           2.22\n"
                                   "       1.000 0.600000000000          3           2.50\n"
                                   "       1.000 0.650000000000          3           2.86\n"
                                   "       1.000 0.700000000000          3           3.33\n"
                                   "       1.000 0.750000000000          3           4.00\n"
                                   "    2501.902 0.775000000000          4           4.44\n"
                                   "    2501.902 1.000000000000          4\n"
                                   "#[Mean    =      625.486, StdDeviation   =     1082.744]\n"
                                   "#[Max     =     2501.902, Total count    =            4]\n"
                                   "#[Buckets =           37, SubBuckets     =         2048]\n";
    (void)state;
    histogram_record_many(&recorded, 45000, 2);
    histogram_record(&recorded, 1000000);
    histogram_record(&recorded, 2500000000);
    char *text = printed(histogram_print_hgrm);
    assert_string_equal(text, expected);
    free(text);
}

static void the_distribution_of_nothing_has_no_lines(void **state)
{
    (void)state;
    char *text = printed(histogram_print_hgrm);
    assert_non_null(strstr(text,
                           "1/(1-Percentile)\n\n#[Mean    =        0.000, StdDeviation   =        0.000]\n"
                           "#[Max     =        0.000, Total count    =            0]\n"));
    free(text);
}

static int print_log(const struct histogram *of, FILE *out)
{
    return histogram_log_begin(out, 1763716000.25) | histogram_log_line(out, -1, 1, of) |
           histogram_log_line(out, 0.5, 0.25, of);
}

static void the_log_has_its_header_and_lines(void **state)
{
    (void)state;
    record_some();
    char *text = printed(print_log);
    assert_non_null(strstr(text, "\n#[Histogram log format version 1.3]\n"
                                 "#[StartTime: 1763716000.250 (seconds since epoch), 2025-11-21T09:06:40Z]\n"
                                 "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                                 "\"Interval_Compressed_Histogram\"\n-1.000,1.000,86400000.000,HISTFAAA"));
    assert_non_null(strstr(text, "\n0.500,0.250,86400000.000,HISTFAAA"));
    free(text);
}

static void a_full_disk_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    (void)state;
    record_some();
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(histogram_print_hgrm(&recorded, full), -1);
    clearerr(full);
    assert_int_equal(histogram_log_begin(full, 1), -1);
    clearerr(full);
    assert_int_equal(histogram_log_line(full, 0, 1, &recorded), -1);
    fclose(full);
}

#define WITH_ONE(test) cmocka_unit_test_setup_teardown(test, open_recorded, close_recorded)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_the_standard_one),
        cmocka_unit_test(base64_of_every_byte_comes_back),
        cmocka_unit_test(what_is_no_base64_is_refused),
        WITH_ONE(it_writes_what_hdrhistogram_writes),
        WITH_ONE(it_reads_what_hdrhistogram_writes),
        WITH_ONE(decoding_adds),
        WITH_ONE(counters_of_every_size_come_back),
        WITH_ONE(a_wrong_header_is_refused),
        WITH_ONE(a_wrong_wrapping_is_refused),
        WITH_ONE(counters_that_cannot_be_are_refused),
        WITH_ONE(no_prefix_is_taken),
        WITH_ONE(a_bomb_does_not_go_off),
        WITH_ONE(an_endless_text_is_refused),
        WITH_ONE(the_distribution_is_that_of_hdrhistogram),
        WITH_ONE(the_distribution_of_nothing_has_no_lines),
        WITH_ONE(the_log_has_its_header_and_lines),
        WITH_ONE(a_full_disk_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
