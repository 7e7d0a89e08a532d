/* A load's result as text: the table at the end of a run, the live line, CSV. */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include "load/result.h"
#include <stdio.h>

/* The table: what was asked, what came of it, latencies by percentile, which side was the limit. Its first
 * line says "INVALID: reason" when the numbers are not the server's. 0, or -1 and errno. */
int load_table_print(const struct load_result *result, FILE *out);

/* One line about the second that has just passed, written over the one before; for terminals only. `total` is
 * the s that are to be measured. */
void live_print(FILE *out, const struct load_result *so_far, const struct load_interval *interval,
                double total);
/* Takes the live line away, so that something else may be written. */
void live_clear(FILE *out);

/* A header, a row per interval, and a last row of the whole: columns as in docs/load-json.md. 0, or -1 and
 * errno. */
int load_csv_print(const struct load_result *result, FILE *out);

#endif
