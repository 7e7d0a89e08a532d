/* A result as comma-separated values: docs/load-json.md has the columns. */
#include "report/table.h"
#include <inttypes.h>

static void print_times(const struct histogram *histogram, FILE *out)
{
    static const double percentiles[] = {50, 90, 99, 99.9, 99.99, 100};
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        if (histogram->total > 0)
            fprintf(out, ",%.3f", (double)histogram_at(histogram, percentiles[i]) / 1000);
        else
            fputc(',', out);
    if (histogram->total > 0)
        fprintf(out, ",%.3f\n", histogram_mean(histogram) / 1000);
    else
        fputs(",\n", out);
}

/* One row, of an interval or of the whole as if it were one. */
static void print_row(const char *name, const struct load_interval *of, const struct histogram *response,
                      FILE *out)
{
    double rate = of->length > 0 ? (double)of->requests / of->length : 0;
    fprintf(out, "%s,%.3f,%.3f,%" PRIu64 ",%" PRIu64 ",%.3f,%" PRIu64 ",%" PRIu64 ",%u", name, of->start,
            of->length, of->requests, of->errors, rate, of->bytes_in, of->bytes_out, of->open);
    print_times(response, out);
}

int load_csv_print(const struct load_result *result, FILE *out)
{
    const struct load_interval total = {.length = result->elapsed,
                                        .requests = result->requests,
                                        .errors = load_errors(result),
                                        .bytes_in = result->bytes_in,
                                        .bytes_out = result->bytes_out,
                                        .open = result->open_most};
    fputs("row,start_s,length_s,requests,errors,rate,bytes_in,bytes_out,open,"
          "p50_us,p90_us,p99_us,p99.9_us,p99.99_us,max_us,mean_us\n",
          out);
    for (size_t i = 0; i < result->interval_count; i++) {
        const struct load_interval *interval = &result->intervals[i];
        print_row(interval->start < 0 ? "warmup" : "interval", interval, &interval->response, out);
    }
    print_row("total", &total, &result->response, out);
    return ferror(out) ? -1 : 0;
}
