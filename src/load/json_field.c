#include "load/json_field.h"
#include "command/neutralise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IN_RESULT(member) offsetof(struct load_result, member)
#define IN_INTERVAL(member) offsetof(struct load_interval, member)

/* In the order of the document; what is computed comes between the two. */
const struct json_field head_fields[] = {
    {"valid", JSON_FLAG, IN_RESULT(valid)},
    {"invalid", JSON_SENTENCE, IN_RESULT(invalid)},
    {"elapsed_s", JSON_AMOUNT, IN_RESULT(elapsed)},
    {"requests", JSON_COUNT, IN_RESULT(requests)},
    {NULL, 0, 0},
};

const struct json_field result_fields[] = {
    {"bytes_in", JSON_COUNT, IN_RESULT(bytes_in)},
    {"bytes_out", JSON_COUNT, IN_RESULT(bytes_out)},
    {"replies_late", JSON_COUNT, IN_RESULT(replies_late)},
    {"intended", JSON_SOME_COUNT, IN_RESULT(intended)},
    {"connects", JSON_COUNT, IN_RESULT(connects)},
    {"open.least", JSON_NUMBER, IN_RESULT(open_least)},
    {"open.most", JSON_NUMBER, IN_RESULT(open_most)},
    {"idle_held", JSON_NUMBER, IN_RESULT(idle_held)},
    {"limits.generator_busy", JSON_KNOWN, IN_RESULT(limits.generator_busy)},
    {"limits.generator_cpu_s", JSON_KNOWN, IN_RESULT(limits.generator_cpu)},
    {"limits.server_busy", JSON_KNOWN, IN_RESULT(limits.server_busy)},
    {"limits.server_cpu_s", JSON_KNOWN, IN_RESULT(limits.server_cpu)},
    {"limits.server_processes", JSON_SOME_NUMBER, IN_RESULT(limits.server_processes)},
    {"limits.machine_idle", JSON_KNOWN, IN_RESULT(limits.machine_idle)},
    {"limits.sentence", JSON_SENTENCE, IN_RESULT(limits.sentence)},
    {"conditions.command_line", JSON_TEXT, IN_RESULT(conditions.command_line)},
    {"conditions.target", JSON_TEXT, IN_RESULT(conditions.target)},
    {"conditions.mode", JSON_TEXT, IN_RESULT(conditions.mode)},
    {"conditions.kernel", JSON_TEXT, IN_RESULT(conditions.kernel)},
    {"conditions.processor", JSON_TEXT, IN_RESULT(conditions.processor)},
    {"conditions.processors", JSON_SOME_NUMBER, IN_RESULT(conditions.processors)},
    {"conditions.version", JSON_TEXT, IN_RESULT(conditions.version)},
    {"conditions.host", JSON_TEXT, IN_RESULT(conditions.host)},
    {"conditions.connections", JSON_NUMBER, IN_RESULT(conditions.connections)},
    {"conditions.threads", JSON_NUMBER, IN_RESULT(conditions.threads)},
    {"conditions.idle", JSON_NUMBER, IN_RESULT(conditions.idle)},
    {"conditions.depth", JSON_SOME_NUMBER, IN_RESULT(conditions.depth)},
    {"conditions.rate", JSON_SOME_AMOUNT, IN_RESULT(conditions.rate)},
    {"conditions.duration_s", JSON_AMOUNT, IN_RESULT(conditions.duration)},
    {"conditions.warmup_s", JSON_AMOUNT, IN_RESULT(conditions.warmup)},
    {"conditions.ramp_s", JSON_AMOUNT, IN_RESULT(conditions.ramp)},
    {"conditions.message_size", JSON_SOME_COUNT, IN_RESULT(conditions.message_size)},
    {"conditions.reply_size", JSON_SOME_COUNT, IN_RESULT(conditions.reply_size)},
    {"conditions.generators", JSON_NUMBER, IN_RESULT(conditions.generators)},
    {NULL, 0, 0},
};

const struct json_field interval_fields[] = {
    {"start", JSON_OFFSET, IN_INTERVAL(start)},      {"length", JSON_AMOUNT, IN_INTERVAL(length)},
    {"requests", JSON_COUNT, IN_INTERVAL(requests)}, {"errors", JSON_COUNT, IN_INTERVAL(errors)},
    {"bytes_in", JSON_COUNT, IN_INTERVAL(bytes_in)}, {"bytes_out", JSON_COUNT, IN_INTERVAL(bytes_out)},
    {"open", JSON_NUMBER, IN_INTERVAL(open)},        {NULL, 0, 0},
};

const struct json_histogram json_histograms[JSON_HISTOGRAMS] = {
    {"latency", "latency_us", IN_RESULT(response)},
    {"service", "service_us", IN_RESULT(service)},
    {"connect", "connect_us", IN_RESULT(connect)},
    {"first_byte", "first_byte_us", IN_RESULT(first_byte)},
    {"lag", "lag_us", IN_RESULT(lag)},
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
    const unsigned *number = at;
    const double *measured = at;
    const char *sentence = at;
    switch (kind) {
    case JSON_FLAG: return json_boolean(*(const bool *)at);
    case JSON_COUNT: return count(*counted, true);
    case JSON_SOME_COUNT: return count(*counted, *counted > 0);
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
