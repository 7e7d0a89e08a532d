#include "report/json_field.h"
#include "text/neutralise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(structure, path, kind, member)                                                                 \
    {                                                                                                        \
        path, kind, offsetof(struct structure, member), sizeof(((struct structure *)NULL)->member)           \
    }
#define RESULT(path, kind, member) FIELD(load_result, path, kind, member)
#define INTERVAL(path, kind, member) FIELD(load_interval, path, kind, member)
#define SEARCH(path, kind, member) FIELD(load_search, path, kind, member)
#define TRIAL(path, kind, member) FIELD(load_trial, path, kind, member)

/* In the order of the document; what is computed comes between the two. */
const struct json_field head_fields[] = {
    RESULT("valid", JSON_FLAG, valid),
    RESULT("invalid", JSON_SENTENCE, invalid),
    RESULT("elapsed_s", JSON_AMOUNT, elapsed),
    RESULT("requests", JSON_COUNT, requests),
    {0},
};

const struct json_field result_fields[] = {
    RESULT("bytes_in", JSON_COUNT, bytes_in),
    RESULT("bytes_out", JSON_COUNT, bytes_out),
    RESULT("replies_late", JSON_COUNT, replies_late),
    RESULT("intended", JSON_SOME_COUNT, intended),
    RESULT("connects", JSON_COUNT, connects),
    RESULT("resumed", JSON_LATER_COUNT, resumed),
    RESULT("open.least", JSON_NUMBER, open_least),
    RESULT("open.most", JSON_NUMBER, open_most),
    RESULT("idle_held", JSON_NUMBER, idle_held),
    RESULT("limits.generator_busy", JSON_KNOWN, limits.generator_busy),
    RESULT("limits.generator_cpu_s", JSON_KNOWN, limits.generator_cpu),
    RESULT("limits.server_busy", JSON_KNOWN, limits.server_busy),
    RESULT("limits.server_cpu_s", JSON_KNOWN, limits.server_cpu),
    RESULT("limits.server_processes", JSON_SOME_NUMBER, limits.server_processes),
    RESULT("limits.machine_idle", JSON_KNOWN, limits.machine_idle),
    RESULT("limits.sentence", JSON_SENTENCE, limits.sentence),
    RESULT("conditions.command_line", JSON_TEXT, conditions.command_line),
    RESULT("conditions.target", JSON_TEXT, conditions.target),
    RESULT("conditions.mode", JSON_TEXT, conditions.mode),
    RESULT("conditions.kernel", JSON_TEXT, conditions.kernel),
    RESULT("conditions.processor", JSON_TEXT, conditions.processor),
    RESULT("conditions.processors", JSON_SOME_NUMBER, conditions.processors),
    RESULT("conditions.version", JSON_TEXT, conditions.version),
    RESULT("conditions.host", JSON_TEXT, conditions.host),
    RESULT("conditions.connections", JSON_NUMBER, conditions.connections),
    RESULT("conditions.threads", JSON_NUMBER, conditions.threads),
    RESULT("conditions.idle", JSON_NUMBER, conditions.idle),
    RESULT("conditions.depth", JSON_SOME_NUMBER, conditions.depth),
    RESULT("conditions.rate", JSON_SOME_AMOUNT, conditions.rate),
    RESULT("conditions.duration_s", JSON_AMOUNT, conditions.duration),
    RESULT("conditions.warmup_s", JSON_AMOUNT, conditions.warmup),
    RESULT("conditions.ramp_s", JSON_AMOUNT, conditions.ramp),
    RESULT("conditions.message_size", JSON_SOME_COUNT, conditions.message_size),
    RESULT("conditions.reply_size", JSON_SOME_COUNT, conditions.reply_size),
    RESULT("conditions.generators", JSON_NUMBER, conditions.generators),
    {0},
};

const struct json_field interval_fields[] = {
    INTERVAL("start", JSON_OFFSET, start),      INTERVAL("length", JSON_AMOUNT, length),
    INTERVAL("requests", JSON_COUNT, requests), INTERVAL("errors", JSON_COUNT, errors),
    INTERVAL("bytes_in", JSON_COUNT, bytes_in), INTERVAL("bytes_out", JSON_COUNT, bytes_out),
    INTERVAL("open", JSON_NUMBER, open),        {0},
};

const struct json_field search_fields[] = {
    SEARCH("promise", JSON_SENTENCE, promise),   SEARCH("found", JSON_SOME_AMOUNT, found),
    SEARCH("broken", JSON_SOME_AMOUNT, broken),  SEARCH("by_generator", JSON_FLAG, by_generator),
    SEARCH("sentence", JSON_SENTENCE, sentence), {0},
};

const struct json_field trial_fields[] = {
    TRIAL("rate", JSON_AMOUNT, rate),
    TRIAL("kept", JSON_FLAG, kept),
    TRIAL("what", JSON_SENTENCE, what),
    {0},
};

const struct json_histogram json_histograms[JSON_HISTOGRAMS] = {
    {"latency", "latency_us", offsetof(struct load_result, response)},
    {"service", "service_us", offsetof(struct load_result, service)},
    {"connect", "connect_us", offsetof(struct load_result, connect)},
    {"first_byte", "first_byte_us", offsetof(struct load_result, first_byte)},
    {"lag", "lag_us", offsetof(struct load_result, lag)},
};

/* Texts may quote what a peer or a user gave, or be cut in the middle of a character. */
static json_t *escaped(const char *text)
{
    char *safe = neutralise_text(text);
    json_t *words = json_string(safe);
    free(safe);
    return words;
}

json_t *json_words(const char *text)
{
    if (!text)
        return json_null();
    json_t *words = json_string(text);
    return words ? words : escaped(text);
}

json_t *json_signal(int number)
{
    const char *name = number ? sigabbrev_np(number) : NULL;
    return name ? json_sprintf("SIG%s", name) : json_null();
}

static json_t *count(uint64_t value, bool is_known)
{
    return is_known ? json_integer((json_int_t)value) : json_null();
}

/* JSON knows no infinity. */
static json_t *amount(double value, bool is_known)
{
    return is_known && isfinite(value) ? json_real(value) : json_null();
}

static json_t *value_of(enum json_kind kind, const void *at)
{
    const uint64_t *counted = at;
    const int64_t *later = at;
    const unsigned *number = at;
    const double *measured = at;
    const char *sentence = at;
    switch (kind) {
    case JSON_FLAG: return json_boolean(*(const bool *)at);
    case JSON_COUNT: return count(*counted, true);
    case JSON_SOME_COUNT: return count(*counted, *counted > 0);
    case JSON_LATER_COUNT: return count((uint64_t)*later, *later >= 0);
    case JSON_NUMBER: return count(*number, true);
    case JSON_SOME_NUMBER: return count(*number, *number > 0);
    case JSON_AMOUNT:
    case JSON_OFFSET: return amount(*measured, true);
    case JSON_SOME_AMOUNT: return amount(*measured, *measured != 0);
    case JSON_KNOWN: return amount(*measured, *measured >= 0);
    case JSON_SENTENCE: return json_words(*sentence ? sentence : NULL);
    default: return json_words(*(char *const *)at);
    }
}

/* Paths have two parts at most. */
static int put_at(json_t *object, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    if (!dot)
        return json_object_set_new(object, path, value);
    char outer[32] = "";
    memcpy(outer, path, (size_t)(dot - path));
    json_t *inner = json_object_get(object, outer);
    if (!inner && json_object_set_new(object, outer, inner = json_object()) < 0) {
        json_decref(value);
        return -1;
    }
    return json_object_set_new(inner, dot + 1, value);
}

int json_write_fields(const struct json_field *fields, const void *from, json_t *object)
{
    for (; fields->path; fields++)
        if (put_at(object, fields->path, value_of(fields->kind, (const char *)from + fields->offset)) < 0)
            return -1;
    return 0;
}
