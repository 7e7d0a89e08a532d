/* The tables on standard output. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "compare/report.h"
#include "text/amount.h"

enum { COLUMNS = MEASURES + 1, CELL = 48, NAME = 40 };

/* A row of texts; the first is the candidate's name. */
struct row {
    char texts[COLUMNS][CELL];
    size_t count;
    char name[NAME];
};

/* Makes one candidate's row; false when it has no numbers. */
typedef bool make_row(struct row *row, const struct comparison *comparison, const struct candidate *candidate,
                      size_t workload);

static void put_right(FILE *out, const char *text, int width)
{
    fprintf(out, "%*s%s", width - columns_of(text), "", text);
}

/* The last of a line, which ends with it: without the place of a star that it has not. */
static void put_last(FILE *out, const char *text, int width)
{
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == ' ')
        length--;
    fprintf(out, "%*s%.*s", width - columns_of(text), "", (int)length, text);
}

static void put_left(FILE *out, const char *text, int width)
{
    fprintf(out, "%s%*s", text, width - columns_of(text), "");
}

static void add(struct row *row, const char *text, bool best)
{
    snprintf(row->texts[row->count++], CELL, "%s%s", text, best ? "*" : " ");
}

static void add_unit(struct row *row, enum chart_unit unit, double value, bool best)
{
    char text[UNIT_ROOM];
    add(row, unit_text(text, unit, value), best);
}

static void add_measure(struct row *row, const struct comparison *comparison,
                        const struct candidate *candidate, size_t workload, enum measure measure)
{
    add_unit(row, measure_forms[measure].unit, candidate->cells[workload].median.values[measure],
             comparison_best(comparison, workload, measure) == candidate);
}

/* ---- rows of a load ---- */

static void head_load(struct row *row, const struct workload *workload)
{
    char text[WORDING];
    for (int measure = 0; measure < MEASURES; measure++) {
        add(row, measure_heading((enum measure)measure, workload, text), false);
        if (measure == MEASURE_RATE)
            add(row, "spread", false);
    }
}

static bool make_load(struct row *row, const struct comparison *comparison, const struct candidate *candidate,
                      size_t workload)
{
    if (candidate->cells[workload].count == 0)
        return false;
    for (int measure = 0; measure < MEASURES; measure++) {
        add_measure(row, comparison, candidate, workload, (enum measure)measure);
        if (measure == MEASURE_RATE)
            add_unit(row, UNIT_SHARE, cell_spread(&candidate->cells[workload]), false);
    }
    return true;
}

/* ---- rows of what a connection costs ---- */

static void head_cost(struct row *row, const struct workload *workload)
{
    char text[WORDING];
    add(row, measure_heading(MEASURE_CPU, workload, text), false);
    add(row, measure_heading(MEASURE_SWITCHES, workload, text), false);
    add(row, "rate", false);
    add(row, "idle memory", false);
    add(row, "memory/connection", false);
    add(row, "held", false);
    add(row, "processes", false);
    add(row, "threads", false);
}

static bool make_cost(struct row *row, const struct comparison *comparison, const struct candidate *candidate,
                      size_t workload)
{
    const struct memory *memory = &candidate->memory;
    if (candidate->cells[workload].count == 0)
        return false;
    add_measure(row, comparison, candidate, workload, MEASURE_CPU);
    add_measure(row, comparison, candidate, workload, MEASURE_SWITCHES);
    add_measure(row, comparison, candidate, workload, MEASURE_RATE);
    add_unit(row, UNIT_BYTES, memory->idle, false);
    add_unit(row, UNIT_BYTES, memory->per_connection, false);
    add_unit(row, UNIT_COUNT, memory->held ? memory->held : NAN, false);
    add_unit(row, UNIT_COUNT, memory->processes ? memory->processes : NAN, false);
    add_unit(row, UNIT_COUNT, memory->threads ? memory->threads : NAN, false);
    return true;
}

/* ---- a table ---- */

struct table {
    const struct comparison *comparison;
    size_t workload;
    make_row *make;
    struct row head;
    int widths[COLUMNS + 1]; /* the last: of the names */
};

static void widen(struct table *table, const struct row *row)
{
    for (size_t i = 0; i < row->count; i++)
        if (columns_of(row->texts[i]) > table->widths[i])
            table->widths[i] = columns_of(row->texts[i]);
    if (columns_of(row->name) > table->widths[COLUMNS])
        table->widths[COLUMNS] = columns_of(row->name);
}

static bool make(const struct table *table, const struct candidate *candidate, struct row *row)
{
    *row = (struct row){0};
    snprintf(row->name, sizeof row->name, "%s", candidate->name);
    return table->make(row, table->comparison, candidate, table->workload);
}

static void print_row(const struct table *table, const struct row *row, FILE *out)
{
    put_left(out, row->name, table->widths[COLUMNS]);
    for (size_t i = 0; i < row->count; i++) {
        fputs("  ", out);
        (i + 1 < row->count ? put_right : put_last)(out, row->texts[i], table->widths[i]);
    }
    fputc('\n', out);
}

static void print_candidate(const struct table *table, const struct candidate *candidate, FILE *out)
{
    char text[WORDING];
    struct row row;
    const char *remark = remark_text(candidate, table->workload, text);
    if (make(table, candidate, &row)) {
        print_row(table, &row, out);
        if (remark)
            fprintf(out, "%*s  %s\n", table->widths[COLUMNS], "", remark);
        return;
    }
    put_left(out, row.name, table->widths[COLUMNS]);
    fprintf(out, "  %s\n", gap_text(table->comparison, candidate, table->workload, text));
}

static void print_table(struct table *table, FILE *out)
{
    struct row row;
    widen(table, &table->head);
    for (size_t i = 0; i < table->comparison->count; i++) {
        make(table, &table->comparison->candidates[i], &row);
        widen(table, &row);
    }
    print_row(table, &table->head, out);
    for (size_t i = 0; i < table->comparison->count; i++)
        print_candidate(table, &table->comparison->candidates[i], out);
}

static void print_load(const struct comparison *comparison, size_t workload, FILE *out)
{
    const struct compare_plan *plan = comparison->plan;
    struct table table = {.comparison = comparison, .workload = workload, .make = make_load};
    char text[WORDING];
    fprintf(out, "%s, messages of %zu bytes", workload_text(&plan->workloads[workload], text), plan->size);
    if (plan->depth > 1)
        fprintf(out, ", %u under way on each", plan->depth);
    fputc('\n', out);
    head_load(&table.head, &plan->workloads[workload]);
    print_table(&table, out);
    if (bound_text(comparison, workload, text))
        fprintf(out, "The generator was the limit, these could do more: %s\n", text);
    fputc('\n', out);
}

static void print_costs(const struct comparison *comparison, FILE *out)
{
    size_t workload = comparison->plan->workload_count - 1;
    struct table table = {.comparison = comparison, .workload = workload, .make = make_cost};
    fputs("What a connection costs: connect, one exchange, close; and while it is held\n", out);
    head_cost(&table.head, &comparison->plan->workloads[workload]);
    print_table(&table, out);
}

/* Where it was interrupted a table without a figure would be a page of nothing. */
static bool is_told(const struct comparison *comparison, size_t workload)
{
    bool told = !comparison->interrupted;
    for (size_t i = 0; i < comparison->count && !told; i++)
        told = comparison->candidates[i].cells[workload].count > 0;
    return told;
}

static bool print_tables(const struct comparison *comparison, FILE *out)
{
    const size_t costs = comparison->plan->workload_count - 1;
    size_t told = 0;
    for (size_t i = 0; i < costs; i++)
        if (is_told(comparison, i)) {
            print_load(comparison, i, out);
            told++;
        }
    if (is_told(comparison, costs)) {
        print_costs(comparison, out);
        told++;
    }
    return told > 0;
}

int compare_table_print(const struct comparison *comparison, FILE *out)
{
    struct claim claim;
    char text[CLAIM_ROOM];
    if (!print_tables(comparison, out))
        fputs("interrupted before anything was measured\n", out);
    else
        fprintf(out, "\n* the best of its column. %s %u round%s of %.3g s.\n",
                comparison->interrupted ? "Interrupted: medians of at most" : "Medians of",
                comparison->plan->rounds, comparison->plan->rounds == 1 ? "" : "s",
                (double)comparison->plan->duration / 1000);
    if (comparison_claim(comparison, &claim))
        fprintf(out, "%s\n", claim_text(&claim, text));
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    errno = errno ? errno : EIO;
    return -1;
}
