/* A histogram of times: HdrHistogram's scheme, log-linear with 3 significant digits, 1 ns to 24 hours.
 *
 * Values are nanoseconds. One that is larger is counted as the largest. Recording is a few instructions and
 * never fails; a histogram belongs to one thread, and is handed to another by a lock around both. */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    HISTOGRAM_HALF = 1024, /* counters per power of two: 3 significant digits */
    HISTOGRAM_HALVES = 38, /* enough of them for HISTOGRAM_MOST */
    HISTOGRAM_COUNTERS = HISTOGRAM_HALVES * HISTOGRAM_HALF
};
#define HISTOGRAM_MOST (INT64_C(24) * 3600 * 1000000000)

struct histogram {
    uint64_t *counts;     /* HISTOGRAM_COUNTERS of them; untouched pages cost nothing */
    uint64_t total;       /* values recorded */
    uint64_t least, most; /* exact; least is UINT64_MAX while there is none */
};

/* 0, or -1 without memory. Close it either way. */
int histogram_open(struct histogram *histogram);
void histogram_close(struct histogram *histogram);
void histogram_clear(struct histogram *histogram);
/* Adds what `from` holds to `into`. */
void histogram_add(struct histogram *into, const struct histogram *from);

/* The counter a value belongs to, and the least and the highest value of a counter. */
static inline uint32_t histogram_index(uint64_t value)
{
    unsigned magnitude = 63 - (unsigned)__builtin_clzll(value | (2 * HISTOGRAM_HALF - 1));
    unsigned shift = magnitude - 10;
    return shift * HISTOGRAM_HALF + (uint32_t)(value >> shift);
}
uint64_t histogram_lowest(uint32_t index);
uint64_t histogram_highest(uint32_t index);

/* Counts `value` `count` times. */
static inline void histogram_record_many(struct histogram *histogram, uint64_t value, uint64_t count)
{
    if (value > (uint64_t)HISTOGRAM_MOST)
        value = (uint64_t)HISTOGRAM_MOST;
    histogram->counts[histogram_index(value)] += count;
    histogram->total += count;
    if (value < histogram->least)
        histogram->least = value;
    if (value > histogram->most)
        histogram->most = value;
}
static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram_record_many(histogram, value, 1);
}

/* The value that `percentile` (0 to 100) of what was recorded does not exceed: the highest of its counter, as
 * HdrHistogram tells it, and never more than the largest recorded. 0 when nothing was. */
uint64_t histogram_at(const struct histogram *histogram, double percentile);
double histogram_mean(const struct histogram *histogram);
double histogram_deviation(const struct histogram *histogram);

/* ---- histogram_text.c, histogram_code.c: the published forms, as HdrHistogram's own tools read them ---- */

/* The percentile distribution (.hgrm), in milliseconds. 0, or -1 and errno. */
int histogram_print_hgrm(const struct histogram *histogram, FILE *out);
/* The V2 compressed form in base64 (a cookie, the length, zlib): allocated, NULL without memory. */
char *histogram_encode(const struct histogram *histogram);
/* Adds what such a text holds to an open histogram: 0 or a parley_status with its sentence. Nothing in the
 * text is trusted. */
int histogram_decode(struct histogram *into, const char *text);
/* Header of a V2 histogram log that began at `since` (s since the epoch), and one of its lines: an interval
 * that began `start` s after that and lasted `length` s. 0, or -1 and errno. */
int histogram_log_begin(FILE *out, double since);
int histogram_log_line(FILE *out, double start, double length, const struct histogram *histogram);

#endif
