/* A load's result as JSON, schema parley-load/1: docs/load-json.md. */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include "load/result.h"
#include <stdio.h>

/* The schema that is written, and the one that is read. */
#define LOAD_JSON_SCHEMA "parley-load/1"

/* Writes a whole document, whatever the result. 0, or PARLEY_RESOURCE with its sentence. */
int load_json_write(const struct load_result *result, FILE *out);

/* One object and a line feed: an element of the document's `intervals`, without its histogram (NDJSON). 0, or
 * PARLEY_RESOURCE with its sentence. */
int load_json_write_interval(const struct load_interval *interval, FILE *out);

/* Fills `into`, an opened and still empty result, from a file that load_json_write() made: 0, or PARLEY_USAGE
 * or PARLEY_RESOURCE with a sentence that names the file and what is wrong with it. Nothing in it is trusted.
 * Close `into` either way. */
int load_json_read(struct load_result *into, const char *path);

#endif
