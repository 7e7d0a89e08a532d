#include "load/histogram.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int histogram_open(struct histogram *histogram)
{
    *histogram = (struct histogram){.least = UINT64_MAX};
    histogram->counts = calloc(HISTOGRAM_COUNTERS, sizeof *histogram->counts);
    return histogram->counts ? 0 : -1;
}

void histogram_close(struct histogram *histogram)
{
    free(histogram->counts);
    *histogram = (struct histogram){.least = UINT64_MAX};
}

uint64_t histogram_lowest(uint32_t index)
{
    uint32_t shift = index < 2 * HISTOGRAM_HALF ? 0 : index / HISTOGRAM_HALF - 1;
    return (uint64_t)(index - shift * HISTOGRAM_HALF) << shift;
}

uint64_t histogram_highest(uint32_t index)
{
    return histogram_lowest(index + 1) - 1;
}

/* The counters in use: from the first on, `*end` is behind the last. */
static uint32_t used(const struct histogram *histogram, uint32_t *end)
{
    *end = histogram->total ? histogram_index(histogram->most) + 1 : 0;
    return histogram->total ? histogram_index(histogram->least) : 0;
}

void histogram_clear(struct histogram *histogram)
{
    uint32_t end, first = used(histogram, &end);
    if (end > first)
        memset(histogram->counts + first, 0, (end - first) * sizeof *histogram->counts);
    histogram->total = histogram->most = 0;
    histogram->least = UINT64_MAX;
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
    uint32_t end;
    for (uint32_t i = used(from, &end); i < end; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    if (from->least < into->least)
        into->least = from->least;
    if (from->most > into->most)
        into->most = from->most;
}

uint64_t histogram_at(const struct histogram *histogram, double percentile)
{
    /* The next smaller, since 99.9 is a little more than 99.9 %, and the rank must not be one too high. */
    double share = nextafter(percentile, 0) / 100;
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->total), seen = 0;
    uint32_t end;
    if (rank < 1)
        rank = 1;
    for (uint32_t i = used(histogram, &end); i < end; i++)
        if ((seen += histogram->counts[i]) >= rank)
            return histogram_highest(i) < histogram->most ? histogram_highest(i) : histogram->most;
    return histogram->most;
}

/* Where the values of a counter are taken to be; one that counts a single value is taken at its word. */
static double middle(uint32_t index)
{
    uint64_t lowest = histogram_lowest(index), half = (histogram_highest(index) + 1 - lowest) / 2;
    return (double)(lowest + half);
}

double histogram_mean(const struct histogram *histogram)
{
    double sum = 0;
    uint32_t end;
    for (uint32_t i = used(histogram, &end); i < end; i++)
        sum += middle(i) * (double)histogram->counts[i];
    return histogram->total ? sum / (double)histogram->total : 0;
}

double histogram_deviation(const struct histogram *histogram)
{
    double mean = histogram_mean(histogram), sum = 0;
    uint32_t end;
    for (uint32_t i = used(histogram, &end); i < end; i++)
        sum += (middle(i) - mean) * (middle(i) - mean) * (double)histogram->counts[i];
    return histogram->total ? sqrt(sum / (double)histogram->total) : 0;
}
