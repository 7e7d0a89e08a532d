/* What a measurement says, and the median of several. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "compare/compare.h"
#include "load/result.h"

const struct measure_form measure_forms[MEASURES] = {
    [MEASURE_RATE] = {"rate", "rate", "Rate", UNIT_RATE, 1},
    [MEASURE_CPU] = {"cpu_us", "CPU", "The server's processor time for each message", UNIT_TIME, -1},
    [MEASURE_P50] = {"p50_us", "p50", "Response time, median", UNIT_TIME, -1},
    [MEASURE_P99] = {"p99_us", "p99", "Response time, 99th percentile", UNIT_TIME, -1},
    [MEASURE_P999] = {"p99.9_us", "p99.9", "Response time, 99.9th percentile", UNIT_TIME, -1},
    [MEASURE_SWITCHES] = {"switches", "switches", "The server's context switches for each message",
                          UNIT_COUNT, -1},
    [MEASURE_SERVER] = {"server_busy", "server busy", "Processors the server kept busy", UNIT_SHARE, 0},
    [MEASURE_GENERATOR] = {"generator_busy", "generator busy", "How busy the generator's busiest thread was",
                           UNIT_SHARE, 0},
};

/* All that the server answered, the warm-up and the grace too: what its whole life's switches were for. */
static uint64_t answered(const struct load_result *result)
{
    uint64_t requests = 0;
    for (size_t i = 0; i < result->interval_count; i++)
        requests += result->intervals[i].requests;
    return (requests > result->requests ? requests : result->requests) + result->replies_late;
}

static double known(double value)
{
    return value < 0 ? NAN : value;
}

static double each(double sum, uint64_t count)
{
    return count > 0 && sum >= 0 ? sum / (double)count : NAN;
}

static double percentile(const struct histogram *histogram, double percent)
{
    return histogram->total > 0 ? (double)histogram_at(histogram, percent) : NAN;
}

static struct measurement measurement_of(const struct load_result *result, uint64_t switches)
{
    return (struct measurement){
        .values = {[MEASURE_RATE] = load_rate(result),
                   [MEASURE_CPU] = each(result->limits.server_cpu * 1e9, result->requests),
                   [MEASURE_P50] = percentile(&result->response, 50),
                   [MEASURE_P99] = percentile(&result->response, 99),
                   [MEASURE_P999] = percentile(&result->response, 99.9),
                   [MEASURE_SWITCHES] = each((double)switches, answered(result)),
                   [MEASURE_SERVER] = known(result->limits.server_busy),
                   [MEASURE_GENERATOR] = known(result->limits.generator_busy)},
        .errors = load_errors(result),
    };
}

static void note_errors(struct cell *cell, const struct load_result *result)
{
    cell->errors += load_errors(result);
    if (!*cell->first_error)
        snprintf(cell->first_error, sizeof cell->first_error, "%s", load_first_error(result));
}

int cell_add(struct cell *cell, const struct load_result *result, uint64_t switches)
{
    struct measurement *rounds = realloc(cell->rounds, (cell->count + 1) * sizeof *rounds);
    if (rounds)
        cell->rounds = rounds;
    if (!rounds || (!cell->latency.counts && histogram_open(&cell->latency) < 0))
        return fail(PARLEY_RESOURCE, "no memory for the measurements");
    cell->rounds[cell->count++] = measurement_of(result, switches);
    histogram_add(&cell->latency, &result->response);
    note_errors(cell, result);
    return 0;
}

static int ascending(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

double median_of(double *numbers, size_t count)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(numbers[i]))
            numbers[there++] = numbers[i];
    if (there == 0)
        return NAN;
    qsort(numbers, there, sizeof *numbers, ascending);
    return there % 2 ? numbers[there / 2] : (numbers[there / 2 - 1] + numbers[there / 2]) / 2;
}

static void settle_measure(struct cell *cell, int measure, double *numbers)
{
    double least = NAN, most = NAN;
    for (size_t i = 0; i < cell->count; i++) {
        numbers[i] = cell->rounds[i].values[measure];
        least = fmin(least, numbers[i]); /* of a NaN and a number it is the number */
        most = fmax(most, numbers[i]);
    }
    cell->median.values[measure] = median_of(numbers, cell->count);
    cell->least.values[measure] = least;
    cell->most.values[measure] = most;
}

void cell_settle(struct cell *cell)
{
    double *numbers = calloc(cell->count + 1, sizeof *numbers);
    for (int measure = 0; measure < MEASURES && numbers; measure++)
        settle_measure(cell, measure, numbers);
    free(numbers);
}

bool cell_generator_bound(const struct cell *cell)
{
    return cell->median.values[MEASURE_GENERATOR] >= 0.95;
}
