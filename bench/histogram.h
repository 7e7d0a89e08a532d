/* Latencies in a log-linear histogram: 32 steps per doubling, so a value is kept to about 3 %. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 5,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_CELLS = 64 * HISTOGRAM_STEPS
};

struct histogram {
    uint64_t total;
    uint64_t cells[HISTOGRAM_CELLS];
};

static inline unsigned histogram_cell(uint64_t value)
{
    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(value >> shift) - HISTOGRAM_STEPS;
}

/* The lowest value that a cell holds. */
static inline uint64_t histogram_value(unsigned cell)
{
    unsigned shift = cell / HISTOGRAM_STEPS;
    if (shift == 0)
        return cell;
    return (uint64_t)(cell % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << (shift - 1);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->total++;
    histogram->cells[histogram_cell(value)]++;
}

static inline uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    uint64_t wanted = (uint64_t)(quantile * (double)histogram->total), seen = 0;
    for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
        seen += histogram->cells[cell];
        if (seen > wanted)
            return histogram_value(cell);
    }
    return 0;
}

#endif
