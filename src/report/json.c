#include "report/json.h"
#include "base/error.h"
#include "report/json_field.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Digits enough for every double that is no artefact of binary fractions: 0.1 is 0.1. */
#define FORMAT JSON_REAL_PRECISION(15)

static json_t *instant(double since)
{
    double ms = rint(since * 1000), seconds = floor(ms / 1000); /* what is read back is written the same */
    time_t whole = (time_t)seconds;
    char text[48];
    struct tm utc;
    if (!gmtime_r(&whole, &utc))
        return json_null();
    size_t used = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, sizeof text - used, ".%03dZ", (int)(ms - seconds * 1000));
    return json_string(text);
}

/* ---- histograms ---- */

static json_t *microseconds(uint64_t ns)
{
    return json_real((double)ns / 1000);
}

static json_t *summary(const struct histogram *histogram)
{
    static const struct {
        const char *key;
        double percentile;
    } rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
    if (histogram->total == 0)
        return json_null();
    json_t *object = json_object();
    int status = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        status |= json_object_set_new(object, rows[i].key,
                                      microseconds(histogram_at(histogram, rows[i].percentile)));
    status |= json_object_set_new(object, "max", microseconds(histogram->most));
    status |= json_object_set_new(object, "min", microseconds(histogram->least));
    status |= json_object_set_new(object, "mean", json_real(histogram_mean(histogram) / 1000));
    status |= json_object_set_new(object, "stddev", json_real(histogram_deviation(histogram) / 1000));
    status |= json_object_set_new(object, "count", json_integer((json_int_t)histogram->total));
    if (status == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *encoded(const struct histogram *histogram)
{
    if (histogram->total == 0)
        return json_null();
    char *text = histogram_encode(histogram);
    json_t *value = text ? json_string(text) : NULL;
    free(text);
    return value;
}

static int put_histograms(const struct load_result *result, json_t *root)
{
    json_t *texts = json_object();
    int status = 0;
    for (size_t i = 0; i < JSON_HISTOGRAMS; i++) {
        const struct json_histogram *row = &json_histograms[i];
        const struct histogram *histogram = (const void *)((const char *)result + row->offset);
        status |= json_object_set_new(root, row->summary, summary(histogram));
        status |= json_object_set_new(texts, row->name, encoded(histogram));
    }
    return status | json_object_set_new(root, "histograms", texts);
}

/* ---- intervals ---- */

static json_t *interval_object(const struct load_interval *interval)
{
    json_t *object = json_object();
    double rate = interval->length > 0 ? (double)interval->requests / interval->length : 0;
    int status = json_write_fields(interval_fields, interval, object);
    status |= json_object_set_new(object, "rate", json_real(rate));
    status |= json_object_set_new(object, "latency_us", summary(&interval->response));
    if (status == 0)
        return object;
    json_decref(object);
    return NULL;
}

static int put_intervals(const struct load_result *result, json_t *root)
{
    json_t *array = json_array();
    int status = 0;
    for (size_t i = 0; i < result->interval_count; i++) {
        json_t *object = interval_object(&result->intervals[i]);
        status |= json_object_set_new(object, "histogram", encoded(&result->intervals[i].response));
        status |= json_array_append_new(array, object);
    }
    return status | json_object_set_new(root, "intervals", array);
}

/* ---- a search ---- */

static json_t *trial_list(const struct load_search *search)
{
    json_t *array = json_array();
    int status = 0;
    for (unsigned i = 0; i < search->trial_count; i++) {
        json_t *object = json_object();
        status |= json_write_fields(trial_fields, &search->trials[i], object);
        status |= json_array_append_new(array, object);
    }
    if (status == 0)
        return array;
    json_decref(array);
    return NULL;
}

static int put_search(const struct load_result *result, json_t *root)
{
    if (!*result->search.promise)
        return json_object_set_new(root, "search", json_null());
    json_t *object = json_object();
    int status = json_write_fields(search_fields, &result->search, object);
    status |= json_object_set_new(object, "trials", trial_list(&result->search));
    return status | json_object_set_new(root, "search", object);
}

/* ---- the document ---- */

static int put_faults(const struct load_result *result, json_t *root)
{
    json_t *kinds = json_object();
    int status = 0;
    for (int i = 0; i < FAULTS; i++) {
        const struct load_faults *faults = &result->faults[i];
        json_t *kind = json_object(), *first = json_words(*faults->first ? faults->first : NULL);
        status |= json_object_set_new(kind, "count", json_integer((json_int_t)faults->count));
        status |= json_object_set_new(kind, "first", first);
        status |= json_object_set_new(kinds, fault_name((enum load_fault)i), kind);
    }
    return status | json_object_set_new(root, "errors_by", kinds);
}

static int put_everything(const struct load_result *result, json_t *root)
{
    int status = json_object_set_new(root, "schema", json_string(LOAD_JSON_SCHEMA));
    status |= json_write_fields(head_fields, result, root);
    status |= json_object_set_new(root, "errors", json_integer((json_int_t)load_errors(result)));
    status |= json_object_set_new(root, "rate", json_real(load_rate(result)));
    status |= json_object_set_new(root, "interrupted", json_signal(result->interrupted));
    status |= json_object_set_new(root, "since", instant(result->since));
    status |= put_faults(result, root);
    status |= json_write_fields(result_fields, result, root);
    status |= put_search(result, root);
    return status | put_histograms(result, root) | put_intervals(result, root);
}

/* In one go, so that a reader of a pipe sees a whole line. Takes `root`, which may be NULL. */
static int dump(json_t *root, size_t format, FILE *out)
{
    char *text = root ? json_dumps(root, format) : NULL;
    json_decref(root);
    if (!text)
        return fail(PARLEY_RESOURCE, "no memory for the JSON");
    int status = fprintf(out, "%s\n", text) < 0 || fflush(out) != 0 ? -1 : 0;
    free(text);
    return status == 0 ? 0 : fail(PARLEY_RESOURCE, "write the JSON: %s", reason_of("write", errno));
}

int load_json_write(const struct load_result *result, FILE *out)
{
    json_t *root = json_object();
    if (put_everything(result, root) == 0)
        return dump(root, FORMAT | JSON_INDENT(2), out);
    json_decref(root);
    return fail(PARLEY_RESOURCE, "no memory for the JSON");
}

int load_json_write_interval(const struct load_interval *interval, FILE *out)
{
    return dump(interval_object(interval), FORMAT | JSON_COMPACT, out);
}
