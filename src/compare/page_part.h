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

/* Bars of one measure. 0, or PARLEY_RESOURCE with its sentence. */
int rows_bars(const struct rows *rows, enum measure measure, const char *title, const char *description,
              FILE *out);
/* Lines of the response time by percentile. */
void rows_percentiles(const struct rows *rows, FILE *out);
/* Their numbers, and why the others have none. */
void rows_table(const struct rows *rows, const char *caption, FILE *out);

#endif
