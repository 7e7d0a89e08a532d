/* A comparison as text, JSON, CSV and a page. */
#ifndef COMPARE_REPORT_H
#define COMPARE_REPORT_H

#include <stdio.h>

#include "compare/compare.h"
#include "load/result.h"

/* The schema: docs/compare-json.md. */
#define COMPARE_JSON_SCHEMA "parley-compare/1"

/* A table for each workload, one of what connections cost, and what follows. 0, or -1 and errno. */
int compare_table_print(const struct comparison *comparison, FILE *out);
/* A whole document, whatever was measured. 0, or a parley_status with its sentence: so for each of these. */
int compare_json_write(const struct comparison *comparison, FILE *out);
/* A row for each candidate and workload. */
int compare_csv_write(const struct comparison *comparison, FILE *out);
/* One page of HTML that needs nothing beside it. */
int compare_page_write(const struct comparison *comparison, FILE *out);

/* ---- wording.c: what several of them say alike ---- */

enum { WORDING = 512 };

/* "50 connections", "1 connection", "a connection for each exchange". Returns `text`, which has WORDING; so
 * for all of these. */
const char *workload_text(const struct workload *workload, char text[WORDING]);
/* Why a candidate has no numbers under a workload: "serves one client at a time", "refused: …", "failed: …",
 * "was not reached before the interruption"; NULL when it has some. */
const char *gap_text(const struct comparison *comparison, const struct candidate *candidate, size_t workload,
                     char text[WORDING]);
/* What is to be known about its numbers: errors, and what ended it; NULL when there is nothing. */
const char *remark_text(const struct candidate *candidate, size_t workload, char text[WORDING]);
/* Those that were so fast that the generator was the limit: "a, b"; NULL when there is none. */
const char *bound_text(const struct comparison *comparison, size_t workload, char text[WORDING]);
/* "0", "0-3", "0,2"; "any" for none in particular. */
const char *processors_text(const struct processors *processors, char text[WORDING]);
/* "measured", "incomplete", "refused", "failed". */
const char *candidate_status(const struct comparison *comparison, const struct candidate *candidate);
/* The heading of a column: "CPU/message", "CPU/connection". */
const char *measure_heading(enum measure measure, const struct workload *workload, char text[WORDING]);
/* This machine and this parley, in here.conditions; what is not known is NULL. load_result_close(). */
void surroundings_open(struct load_result *here, const struct compare_plan *plan);
/* How far the rates of the rounds lay apart, as a share of the median; NaN of fewer than two. */
double cell_spread(const struct cell *cell);

#endif
