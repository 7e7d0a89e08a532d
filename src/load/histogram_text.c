#include "load/histogram.h"
#include <inttypes.h>
#include <math.h>
#include <parley.h>
#include <stdlib.h>
#include <time.h>

/* ---- the percentile distribution ---- */

/* Lines from one percentile to the next that halves what is left above it. */
enum { TICKS_PER_HALF = 5 };

/* The percentile of the next line. */
static double after(double percentile)
{
    double halvings = floor(log(100 / (100 - percentile)) / log(2)) + 1;
    return percentile + 100 / (TICKS_PER_HALF * exp2(halvings));
}

/* Milliseconds in 12 columns, from the integer, so that halves are rounded up as HdrHistogram does. */
static void print_value(uint32_t index, FILE *out)
{
    uint64_t us = (histogram_highest(index) + 500) / 1000;
    fprintf(out, "%8" PRIu64 ".%03u", us / 1000, (unsigned)(us % 1000));
}

/* The next number above, so that halves are rounded up: printf() would round them to even. */
static double above(double number)
{
    return nextafter(number, INFINITY);
}

/* As many lines as fall into this counter, up to which `seen` values were recorded. Returns the percentile of
 * the next line. */
static double print_counter(uint32_t index, uint64_t seen, uint64_t total, double percentile, FILE *out)
{
    double reached = 100 * (double)seen / (double)total;
    while (percentile <= reached && percentile < 100) {
        print_value(index, out);
        fprintf(out, " %2.12f %10" PRIu64 " %14.2f\n", above(percentile / 100), seen,
                above(1 / (1 - percentile / 100)));
        percentile = after(percentile);
        if (seen == total)
            break;
    }
    return percentile;
}

static void print_lines(const struct histogram *histogram, FILE *out)
{
    uint32_t last = histogram_index(histogram->most);
    uint64_t seen = 0;
    double percentile = 0;
    for (uint32_t i = histogram_index(histogram->least); i <= last; i++)
        if (histogram->counts[i] > 0) {
            seen += histogram->counts[i];
            percentile = print_counter(i, seen, histogram->total, percentile, out);
        }
    print_value(last, out);
    fprintf(out, " %2.12f %10" PRIu64 "\n", 1.0, histogram->total);
}

int histogram_print_hgrm(const struct histogram *histogram, FILE *out)
{
    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    if (histogram->total > 0)
        print_lines(histogram, out);
    fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", histogram_mean(histogram) / 1e6,
            histogram_deviation(histogram) / 1e6);
    fputs("#[Max     = ", out);
    print_value(histogram_index(histogram->most), out);
    fprintf(out, ", Total count    = %12" PRIu64 "]\n", histogram->total);
    fprintf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", HISTOGRAM_HALVES - 1, 2 * HISTOGRAM_HALF);
    return ferror(out) ? -1 : 0;
}

/* ---- the log ---- */

int histogram_log_begin(FILE *out, double since)
{
    time_t seconds = (time_t)since;
    struct tm utc;
    char date[32] = "";
    if (gmtime_r(&seconds, &utc))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fprintf(out, "#[Written by parley %s: times in ns, Interval_Max in ms]\n", parley_version());
    fputs("#[Histogram log format version 1.3]\n", out);
    fprintf(out, "#[StartTime: %.3f (seconds since epoch), %s]\n", since, date);
    fputs("\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n", out);
    return ferror(out) ? -1 : 0;
}

int histogram_log_line(FILE *out, double start, double length, const struct histogram *histogram)
{
    char *text = histogram_encode(histogram);
    if (!text)
        return -1;
    fprintf(out, "%.3f,%.3f,%.3f,%s\n", start, length, (double)histogram->most / 1e6, text);
    free(text);
    return ferror(out) ? -1 : 0;
}
