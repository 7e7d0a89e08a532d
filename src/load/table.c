#include "load/table.h"
#include <inttypes.h>

int load_table_print(const struct load_result *result, FILE *out)
{
    if (!result->valid)
        fprintf(out, "INVALID: %s\n", result->invalid);
    fprintf(out, "requests   %" PRIu64 "  %.6g/s\n", result->requests, load_rate(result));
    return ferror(out) ? -1 : 0;
}

void live_print(FILE *out, const struct load_result *so_far, const struct load_interval *interval,
                double total)
{
    fprintf(out, "\r%.0f of %.0f s  %" PRIu64 "/s  errors %" PRIu64 "\x1b[K",
            interval->start + interval->length, total, interval->requests, load_errors(so_far));
    fflush(out);
}

void live_clear(FILE *out)
{
    fputs("\r\x1b[K", out);
    fflush(out);
}

int load_csv_print(const struct load_result *result, FILE *out)
{
    fprintf(out, "row,requests\ntotal,%" PRIu64 "\n", result->requests);
    return ferror(out) ? -1 : 0;
}
