/* What the page is put together from: charts and a table of those that have numbers under a workload. */
#ifndef COMPARE_PAGE_PART_H
#define COMPARE_PAGE_PART_H

#include "compare/report.h"

struct rows {
    const struct comparison *comparison;
    size_t workload;
    const struct candidate **list;
    const char **names;
    size_t count;
};

/* 0, or PARLEY_RESOURCE with its sentence. Close them either way. */
int rows_open(struct rows *rows, const struct comparison *comparison, size_t workload);
void rows_close(struct rows *rows);

/* Bars of one measure, or of some that have a unit in common, at most MOST_TOGETHER. 0, or PARLEY_RESOURCE
 * with its sentence. */
enum { MOST_TOGETHER = 2 };
int rows_bars(const struct rows *rows, const char *title, const char *description,
              const enum measure *measures, size_t count, FILE *out);
int rows_measure(const struct rows *rows, enum measure measure, const char *description, FILE *out);
/* Lines of the response time by percentile. */
void rows_percentiles(const struct rows *rows, FILE *out);
/* Their numbers, and why the others have none: `each` is "message" or "connection". */
void rows_table(const struct rows *rows, const char *caption, const char *each, FILE *out);

#endif
