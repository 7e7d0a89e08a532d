/* The fields of the JSON that are members of a structure, in tables: they are written and read alike. */
#ifndef REPORT_JSON_FIELD_H
#define REPORT_JSON_FIELD_H

#include "load/result.h"
#include <jansson.h>
#include <stddef.h>

enum json_kind {
    JSON_FLAG,        /* bool */
    JSON_COUNT,       /* uint64_t */
    JSON_SOME_COUNT,  /* the same; 0 is none or not known: null */
    JSON_LATER_COUNT, /* int64_t; negative: null. Files of before it was counted do not have it */
    JSON_NUMBER,      /* unsigned */
    JSON_SOME_NUMBER, /* the same; 0: null */
    JSON_AMOUNT,      /* double, from 0 */
    JSON_OFFSET,      /* double, of either sign */
    JSON_SOME_AMOUNT, /* the same; 0: null */
    JSON_KNOWN,       /* double; negative is not known: null */
    JSON_SENTENCE,    /* char[size]; "": null */
    JSON_TEXT         /* char *, allocated; NULL: null */
};

struct json_field {
    const char *path; /* "open.least" is a member of the object `open`; NULL ends a table */
    enum json_kind kind;
    size_t offset; /* in the structure, and the size there */
    size_t size;
};

extern const struct json_field head_fields[], result_fields[];  /* of struct load_result */
extern const struct json_field interval_fields[];               /* of struct load_interval */
extern const struct json_field search_fields[], trial_fields[]; /* of struct load_search, of load_trial */

/* The histograms: "latency" is an object `latency_us` and a text in `histograms`. */
struct json_histogram {
    const char *name, *summary;
    size_t offset; /* in struct load_result */
};
enum { JSON_HISTOGRAMS = 5 };
extern const struct json_histogram json_histograms[JSON_HISTOGRAMS];

/* Writes the members of `from` to `object`. 0, or -1 without memory. */
int json_write_fields(const struct json_field *fields, const void *from, json_t *object);
/* A text whatever its bytes; NULL is null. NULL without memory. */
json_t *json_words(const char *text);
/* "SIGINT"; 0 is null. NULL without memory. */
json_t *json_signal(int number);

/* Where something stands, for sentences: the file, and the way to the object: "", "intervals[3].". */
struct json_place {
    const char *file, *object;
};
/* Fills the members of `into`, zeroed or freshly opened. 0, or PARLEY_USAGE or PARLEY_RESOURCE with the
 * sentence that names the field. */
int json_read_fields(const struct json_field *fields, const json_t *object, const struct json_place *place,
                     void *into);
/* The member at `path`, null or not; NULL: there is none, and the sentence says so. */
const json_t *json_member(const json_t *object, const struct json_place *place, const char *path);
/* A sentence about the member: "a.json: open.least is no count". */
int json_complain(const struct json_place *place, const char *path, const char *fault);

#endif
