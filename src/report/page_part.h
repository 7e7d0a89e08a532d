/* What the report's page is put together from. */
#ifndef REPORT_PAGE_PART_H
#define REPORT_PAGE_PART_H

#include "load/result.h"
#include <stdio.h>

/* What a chart over time and the table of it show as one: an interval, or in a long run several. */
struct moment {
    double start, length; /* s, as in the intervals */
    uint64_t requests, errors, bytes_in, bytes_out;
    unsigned open;
    double p50, p99, most; /* response, ns; NaN when nothing was answered */
};

struct moments {
    struct moment *list;
    size_t count;
    size_t together; /* intervals in each */
};

/* At most 600 moments. 0, or PARLEY_RESOURCE with its sentence. Close them either way. */
int moments_open(struct moments *moments, const struct load_result *result);
void moments_close(struct moments *moments);
/* Requests and errors a second; NaN for a moment without length. */
double moment_rate(const struct moment *moment);
double moment_error_rate(const struct moment *moment);

/* ---- page_chart.c: each a section or a figure of the page ---- */

int page_percentiles(const struct load_result *result, FILE *out);
int page_time(const struct load_result *result, const struct moments *moments, FILE *out);
void page_limits(const struct load_result *result, FILE *out);

/* ---- page_table.c ---- */

/* Nothing where no rate was searched for. */
void page_search(const struct load_result *result, FILE *out);
void page_errors(const struct load_result *result, FILE *out);
void page_conditions(const struct load_result *result, FILE *out);
void page_numbers(const struct load_result *result, const struct moments *moments, FILE *out);

#endif
