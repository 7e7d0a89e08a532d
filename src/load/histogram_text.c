#include "load/histogram.h"
#include "engine/error.h"
#include <string.h>

int histogram_print_hgrm(const struct histogram *histogram, FILE *out)
{
    (void)histogram;
    return ferror(out) ? -1 : 0;
}

char *histogram_encode(const struct histogram *histogram)
{
    (void)histogram;
    return strdup("");
}

int histogram_decode(struct histogram *into, const char *text)
{
    (void)into, (void)text;
    return fail(PARLEY_USAGE, "no histogram");
}

int histogram_log_begin(FILE *out, double since)
{
    (void)since;
    return ferror(out) ? -1 : 0;
}

int histogram_log_line(FILE *out, double start, double length, const struct histogram *histogram)
{
    (void)start, (void)length, (void)histogram;
    return ferror(out) ? -1 : 0;
}
