/* The line on the terminal while a load runs. */
#include "report/table.h"
#include "text/amount.h"
#include <inttypes.h>

/* To the beginning of the line, and nothing behind it. */
static const char erase[] = "\r\x1b[K";

void live_print(FILE *out, const struct load_result *so_far, const struct load_interval *interval,
                double total)
{
    const struct histogram *response = &interval->response;
    double rate = interval->length > 0 ? (double)interval->requests / interval->length : 0;
    fputs(erase, out);
    if (interval->start < 0)
        fprintf(out, "warm-up, %.0f s to go", -interval->start - interval->length);
    else
        fprintf(out, "%.0f of %.0f s", interval->start + interval->length, total);
    fprintf(out, "  %s", amount_rate(rate).text);
    if (response->total > 0)
        fprintf(out, "  p50 %s  p99 %s", amount_time((double)histogram_at(response, 50)).text,
                amount_time((double)histogram_at(response, 99)).text);
    fprintf(out, "  errors %" PRIu64 "  open %u", load_errors(so_far), interval->open);
    fflush(out);
}

void live_clear(FILE *out)
{
    fputs(erase, out);
    fflush(out);
}
