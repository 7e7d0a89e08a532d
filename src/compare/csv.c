/* The comparison as CSV: the columns of docs/compare-json.md. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "base/error.h"
#include "compare/report.h"

static void put_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\"%c" : "%c", *text);
    fputc('"', out);
}

/* What is not known is empty. */
static void put_number(FILE *out, double number)
{
    fputc(',', out);
    if (isfinite(number))
        fprintf(out, "%.9g", number);
}

static void put_measures(FILE *out, const struct cell *cell)
{
    for (int measure = 0; measure < MEASURES; measure++) {
        double value = cell->count > 0 ? cell->median.values[measure] : NAN;
        put_number(out, measure_forms[measure].unit == UNIT_TIME ? value / 1000 : value);
    }
    put_number(out, cell->count > 0 ? cell->least.values[MEASURE_RATE] : NAN);
    put_number(out, cell->count > 0 ? cell->most.values[MEASURE_RATE] : NAN);
}

static void put_row(const struct comparison *comparison, const struct candidate *candidate, size_t workload,
                    FILE *out)
{
    const struct workload *asked = &comparison->plan->workloads[workload];
    const struct cell *cell = &candidate->cells[workload];
    char words[WORDING];
    const char *gap = gap_text(comparison, candidate, workload, words);
    put_text(out, candidate->name);
    fprintf(out, ",%s,%s,%u,%zu", candidate->model ? "model" : "peer", asked->churn ? "setup" : "load",
            asked->connections, cell->count);
    put_measures(out, cell);
    fprintf(out, ",%" PRIu64, cell->errors);
    put_number(out, candidate->memory.idle);
    put_number(out, candidate->memory.per_connection);
    fputc(',', out);
    put_text(out, gap ? gap : "");
    fputc('\n', out);
}

int compare_csv_write(const struct comparison *comparison, FILE *out)
{
    fputs("name,kind,run,connections,rounds", out);
    for (int measure = 0; measure < MEASURES; measure++)
        fprintf(out, ",%s", measure_forms[measure].key);
    fputs(",rate_least,rate_most,errors,idle_bytes,connection_bytes,reason\n", out);
    for (size_t workload = 0; workload < comparison->plan->workload_count; workload++)
        for (size_t i = 0; i < comparison->count; i++)
            put_row(comparison, &comparison->candidates[i], workload, out);
    return fflush(out) == 0 && !ferror(out) ? 0 : fail_call("write", NULL, errno);
}
