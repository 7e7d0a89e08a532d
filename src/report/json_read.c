#include "base/error.h"
#include "report/json.h"
#include "report/json_field.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- histograms ---- */

/* The counters know the largest and the smallest value to three digits; these are the exact ones. */
static void refine(struct histogram *histogram, double least, double most)
{
    if (least >= 0 && least * 1000 < (double)HISTOGRAM_MOST &&
        histogram_index((uint64_t)llround(least * 1000)) == histogram_index(histogram->least))
        histogram->least = (uint64_t)llround(least * 1000);
    if (most >= 0 && most * 1000 <= (double)HISTOGRAM_MOST &&
        histogram_index((uint64_t)llround(most * 1000)) == histogram_index(histogram->most))
        histogram->most = (uint64_t)llround(most * 1000);
}

/* Decodes `text` and compares it with its summary. `name` is what stands before both: "latency_us". */
static int take_histogram(struct histogram *into, const json_t *text, const json_t *summary,
                          const struct json_place *place, const char *name)
{
    if (json_is_null(text) && json_is_null(summary))
        return 0;
    if (!json_is_string(text) || !json_is_object(summary))
        return json_complain(place, name, "and its histogram do not belong together");
    int status = histogram_decode(into, json_string_value(text));
    if (status != 0)
        return fail(status, "%s: %shistogram of %s: %s", place->file, place->object, name, parley_error());
    if (json_integer_value(json_object_get(summary, "count")) != (json_int_t)into->total)
        return json_complain(place, name, "has another count than its histogram");
    refine(into, json_number_value(json_object_get(summary, "min")),
           json_number_value(json_object_get(summary, "max")));
    return 0;
}

static int take_histograms(struct load_result *into, const json_t *root, const struct json_place *place)
{
    for (size_t i = 0; i < JSON_HISTOGRAMS; i++) {
        const struct json_histogram *row = &json_histograms[i];
        char path[32];
        snprintf(path, sizeof path, "histograms.%s", row->name);
        const json_t *text = json_member(root, place, path);
        const json_t *summary = text ? json_member(root, place, row->summary) : NULL;
        if (!summary)
            return PARLEY_USAGE;
        struct histogram *histogram = (void *)((char *)into + row->offset);
        int status = take_histogram(histogram, text, summary, place, row->summary);
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- intervals ---- */

static int take_interval(struct load_interval *into, const json_t *object, const struct json_place *place)
{
    int status = json_read_fields(interval_fields, object, place, into);
    const json_t *text = status == 0 ? json_member(object, place, "histogram") : NULL;
    const json_t *summary = text ? json_member(object, place, "latency_us") : NULL;
    if (!summary)
        return PARLEY_USAGE;
    return take_histogram(&into->response, text, summary, place, "latency_us");
}

static int take_intervals(struct load_result *into, const json_t *root, const struct json_place *place)
{
    const json_t *array = json_member(root, place, "intervals");
    if (!array)
        return PARLEY_USAGE;
    if (!json_is_array(array))
        return json_complain(place, "intervals", "is no list");
    for (size_t i = 0; i < json_array_size(array); i++) {
        char name[40];
        snprintf(name, sizeof name, "intervals[%zu].", i);
        struct load_interval *interval = load_result_add_interval(into);
        if (!interval)
            return fail(PARLEY_RESOURCE, "%s: no memory for its intervals", place->file);
        int status =
            take_interval(interval, json_array_get(array, i), &(struct json_place){place->file, name});
        if (status != 0)
            return status;
    }
    return 0;
}

/* ---- a search ---- */

static int take_trials(struct load_search *into, const json_t *object, const struct json_place *place)
{
    const json_t *array = json_member(object, place, "trials");
    if (!array)
        return PARLEY_USAGE;
    if (!json_is_array(array) || json_array_size(array) > LOAD_TRIALS)
        return json_complain(place, "trials", "is no list of trials");
    for (; into->trial_count < json_array_size(array); into->trial_count++) {
        char name[40];
        snprintf(name, sizeof name, "search.trials[%u].", into->trial_count);
        int status =
            json_read_fields(trial_fields, json_array_get(array, into->trial_count),
                             &(struct json_place){place->file, name}, &into->trials[into->trial_count]);
        if (status != 0)
            return status;
    }
    return 0;
}

static int take_search(struct load_result *into, const json_t *root, const struct json_place *place)
{
    const json_t *object = json_member(root, place, "search");
    const struct json_place inside = {place->file, "search."};
    if (!object)
        return PARLEY_USAGE;
    if (json_is_null(object))
        return 0;
    int status = json_read_fields(search_fields, object, &inside, &into->search);
    return status == 0 ? take_trials(&into->search, object, &inside) : status;
}

/* ---- the rest of the document ---- */

static int take_fault(struct load_faults *into, const json_t *kind, const struct json_place *place,
                      const char *path)
{
    const json_t *count = json_object_get(kind, "count"), *first = json_object_get(kind, "first");
    if (!json_is_integer(count) || json_integer_value(count) < 0)
        return json_complain(place, path, "has no count");
    into->count = (uint64_t)json_integer_value(count);
    snprintf(into->first, sizeof into->first, "%s", json_is_string(first) ? json_string_value(first) : "");
    return 0;
}

static int take_faults(struct load_result *into, const json_t *root, const struct json_place *place)
{
    for (int i = 0; i < FAULTS; i++) {
        char path[32];
        snprintf(path, sizeof path, "errors_by.%s", fault_name((enum load_fault)i));
        const json_t *kind = json_member(root, place, path);
        int status = kind ? take_fault(&into->faults[i], kind, place, path) : PARLEY_USAGE;
        if (status != 0)
            return status;
    }
    return 0;
}

/* "2026-11-21T09:06:40.250Z" */
static int take_since(struct load_result *into, const json_t *root, const struct json_place *place)
{
    const json_t *value = json_member(root, place, "since");
    struct tm utc = {0};
    if (!value)
        return PARLEY_USAGE;
    const char *end =
        json_is_string(value) ? strptime(json_string_value(value), "%Y-%m-%dT%H:%M:%S", &utc) : NULL;
    char *rest = NULL;
    long ms = end && *end == '.' ? strtol(end + 1, &rest, 10) : 0;
    if (!rest || rest != end + 4 || strcmp(rest, "Z") != 0)
        return json_complain(place, "since", "is no date such as \"2026-11-21T09:06:40.250Z\"");
    into->since = (double)timegm(&utc) + (double)ms / 1000;
    return 0;
}

static int take_signal(struct load_result *into, const json_t *root, const struct json_place *place)
{
    const json_t *value = json_member(root, place, "interrupted");
    if (!value)
        return PARLEY_USAGE;
    if (json_is_null(value))
        return 0;
    const char *name = json_string_value(value);
    for (int number = 1; name && strncmp(name, "SIG", 3) == 0 && number < SIGRTMIN; number++) {
        const char *known = sigabbrev_np(number);
        if (known && strcmp(known, name + 3) == 0)
            into->interrupted = number;
    }
    return into->interrupted ? 0 : json_complain(place, "interrupted", "is no signal's name");
}

static int take_everything(struct load_result *into, const json_t *root, const struct json_place *place)
{
    int status = json_read_fields(head_fields, root, place, into);
    status = status != 0 ? status : take_signal(into, root, place);
    status = status != 0 ? status : take_since(into, root, place);
    status = status != 0 ? status : take_faults(into, root, place);
    status = status != 0 ? status : json_read_fields(result_fields, root, place, into);
    status = status != 0 ? status : take_search(into, root, place);
    status = status != 0 ? status : take_histograms(into, root, place);
    return status != 0 ? status : take_intervals(into, root, place);
}

static int take_document(struct load_result *into, const json_t *root, const char *path)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));
    const struct json_place place = {path, ""};
    if (!schema)
        return fail(PARLEY_USAGE, "%s: no schema: not written by parley load?", path);
    if (strcmp(schema, LOAD_JSON_SCHEMA) != 0)
        return fail(PARLEY_USAGE, "%s: its schema is \"%.40s\", and only \"%s\" can be read", path, schema,
                    LOAD_JSON_SCHEMA);
    return take_everything(into, root, &place);
}

int load_json_read(struct load_result *into, const char *path)
{
    json_error_t error;
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(PARLEY_RESOURCE, "open %s: %s", path, reason_of("open", errno));
    json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    if (!root)
        return fail(PARLEY_USAGE, "%s: no JSON: line %d: %s", path, error.line, error.text);
    int status = take_document(into, root, path);
    json_decref(root);
    return status;
}
