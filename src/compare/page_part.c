#include "compare/page_part.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "report/html.h"

/* ---- bars ---- */

void rows_close(struct rows *rows)
{
    free(rows->list);
    free(rows->names);
}

int rows_open(struct rows *rows, const struct comparison *comparison, size_t workload)
{
    *rows = (struct rows){.comparison = comparison, .workload = workload};
    rows->list = calloc(comparison->count + 1, sizeof *rows->list);
    rows->names = calloc(comparison->count + 1, sizeof *rows->names);
    if (!rows->list || !rows->names)
        return fail(PARLEY_RESOURCE, "no memory for the page");
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->candidates[i].cells[workload].count > 0) {
            rows->list[rows->count] = &comparison->candidates[i];
            rows->names[rows->count++] = comparison->candidates[i].name;
        }
    return 0;
}

static struct chart_bar bar_of(const struct cell *cell, enum measure measure)
{
    return (struct chart_bar){cell->median.values[measure], cell->least.values[measure],
                              cell->most.values[measure]};
}

int rows_bars(const struct rows *rows, enum measure measure, const char *title, const char *description,
              FILE *out)
{
    struct chart_bar *bars = calloc(rows->count + 1, sizeof *bars);
    if (!bars)
        return fail(PARLEY_RESOURCE, "no memory for the page");
    for (size_t row = 0; row < rows->count; row++)
        bars[row] = bar_of(&rows->list[row]->cells[rows->workload], measure);
    struct bar_series series = {.bars = bars};
    chart_bars(&(struct bar_chart){.title = title,
                                   .description = description,
                                   .unit = measure_forms[measure].unit,
                                   .rows = rows->names,
                                   .row_count = rows->count,
                                   .series = &series,
                                   .series_count = 1},
               out);
    free(bars);
    return 0;
}

/* ---- lines ---- */

enum { LINES = 6, STEPS = 61 };

/* From 0 to 99.99 %, in steps that the axis shows evenly. */
static double percent_at(size_t step)
{
    return 100 - 100 * pow(10, -4.0 * (double)step / (STEPS - 1));
}

static bool is_placed(const struct candidate *candidate, const char *placement)
{
    size_t length = strlen(placement);
    return candidate->model && strncmp(candidate->model, placement, length) == 0 &&
           candidate->model[length] == '+';
}

/* Of the models of one placement, the one with the least p99; NULL: none was measured. */
static const struct candidate *steadiest(const struct rows *rows, const char *placement)
{
    const struct candidate *best = NULL;
    for (size_t i = 0; i < rows->count; i++)
        if (is_placed(rows->list[i], placement) &&
            (!best || rows->list[i]->cells[rows->workload].median.values[MEASURE_P99] <
                          best->cells[rows->workload].median.values[MEASURE_P99]))
            best = rows->list[i];
    return best;
}

/* All of them if they are few; else each placement's steadiest, and peers as far as there is room. */
static size_t choose_lines(const struct rows *rows, const struct candidate *chosen[LINES])
{
    static const char *const placements[] = {"iterative", "fork", "thread", "prefork", "prethread"};
    size_t count = 0;
    if (rows->count <= LINES) {
        memcpy(chosen, rows->list, rows->count * sizeof *chosen);
        return rows->count;
    }
    for (size_t i = 0; i < sizeof placements / sizeof *placements; i++)
        if ((chosen[count] = steadiest(rows, placements[i])))
            count++;
    for (size_t i = 0; i < rows->count && count < LINES; i++)
        if (!rows->list[i]->model)
            chosen[count++] = rows->list[i];
    return count;
}

void rows_percentiles(const struct rows *rows, FILE *out)
{
    const struct candidate *chosen[LINES] = {0};
    struct chart_series series[LINES];
    struct chart_point points[LINES][STEPS];
    size_t count = choose_lines(rows, chosen);
    for (size_t i = 0; i < count; i++) {
        const struct histogram *latency = &chosen[i]->cells[rows->workload].latency;
        for (size_t step = 0; step < STEPS; step++) {
            double percent = percent_at(step);
            points[i][step] = (struct chart_point){percent, (double)histogram_at(latency, percent)};
        }
        series[i] = (struct chart_series){.name = chosen[i]->name, .points = points[i], .count = STEPS};
    }
    chart_lines(
        &(struct chart){.title = "Response time by percentile",
                        .description = rows->count <= LINES
                                           ? "Of all rounds together."
                                           : "Of all rounds together; of each placement the model with "
                                             "the least p99.",
                        .x = {.scale = SCALE_PERCENTILE},
                        .y = {.label = "response time", .unit = UNIT_TIME, .scale = SCALE_LOGARITHM},
                        .series = series,
                        .series_count = count},
        out);
}

/* ---- tables ---- */

/* A number, marked when it is the best of its column. */
static const char *cell_text(char text[UNIT_ROOM + 4], const struct rows *rows,
                             const struct candidate *candidate, enum measure measure)
{
    char value[UNIT_ROOM];
    unit_text(value, measure_forms[measure].unit, candidate->cells[rows->workload].median.values[measure]);
    bool best = comparison_best(rows->comparison, rows->workload, measure) == candidate;
    snprintf(text, UNIT_ROOM + 4, "%s%s", best ? "★ " : "", value);
    return text;
}

static void print_row(const struct rows *rows, const struct candidate *candidate, FILE *out)
{
    char texts[MEASURES][UNIT_ROOM + 4], spread[UNIT_ROOM];
    for (int measure = 0; measure < MEASURES; measure++)
        cell_text(texts[measure], rows, candidate, (enum measure)measure);
    html_row(out, candidate->name, texts[MEASURE_RATE],
             unit_text(spread, UNIT_SHARE, cell_spread(&candidate->cells[rows->workload])),
             texts[MEASURE_CPU], texts[MEASURE_P50], texts[MEASURE_P99], texts[MEASURE_P999],
             texts[MEASURE_SWITCHES], texts[MEASURE_SERVER], texts[MEASURE_GENERATOR]);
}

/* Why one has no numbers, or what is to be known of those it has; NULL: nothing. */
static const char *note_on(const struct rows *rows, const struct candidate *candidate, char text[WORDING])
{
    const char *gap = gap_text(rows->comparison, candidate, rows->workload, text);
    return gap ? gap : remark_text(candidate, rows->workload, text);
}

static void print_notes(const struct rows *rows, FILE *out)
{
    char text[WORDING];
    bool any = false;
    for (size_t i = 0; i < rows->comparison->count; i++) {
        const struct candidate *candidate = &rows->comparison->candidates[i];
        const char *note = note_on(rows, candidate, text);
        if (note && !any)
            html_table(out, "Remarks", "<Server|<Remark");
        if (note)
            html_row(out, candidate->name, note);
        any = any || note;
    }
    if (any)
        html_table_end(out);
}

void rows_table(const struct rows *rows, const char *caption, FILE *out)
{
    if (rows->count > 0) {
        html_table(out, caption, "<Server|Rate|Spread|CPU|p50|p99|p99.9|Switches|Busy|Generator");
        for (size_t i = 0; i < rows->count; i++)
            print_row(rows, rows->list[i], out);
        html_table_end(out);
    }
    print_notes(rows, out);
}
