#include "base/error.h"
#include "report/json_field.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Far more than any run has, and small enough to be reckoned with. */
#define MOST_AMOUNT 1e15

int json_complain(const struct json_place *place, const char *path, const char *fault)
{
    return fail(PARLEY_USAGE, "%s: %s%s %s", place->file, place->object, path, fault);
}

/* Paths have two parts at most. */
const json_t *json_member(const json_t *object, const struct json_place *place, const char *path)
{
    const char *dot = strchr(path, '.'), *name = dot ? dot + 1 : path;
    char outer[32] = "";
    if (dot) {
        memcpy(outer, path, (size_t)(dot - path));
        object = json_object_get(object, outer);
    }
    const json_t *member = json_object_get(object, name);
    if (!member)
        fail(PARLEY_USAGE, "%s: no %s%s: not written by parley load?", place->file, place->object, path);
    return member;
}

/* Each returns what is wrong with the value, or NULL. */

/* What null stands for is there already, but for one kind. */
static const char *take_null(enum json_kind kind, void *to)
{
    switch (kind) {
    case JSON_KNOWN: *(double *)to = -1; return NULL;
    case JSON_LATER_COUNT: *(int64_t *)to = -1; return NULL;
    case JSON_SOME_COUNT:
    case JSON_SOME_NUMBER:
    case JSON_SOME_AMOUNT:
    case JSON_SENTENCE:
    case JSON_TEXT: return NULL;
    default: return "is null";
    }
}

static const char *take_count(const json_t *value, uint64_t most, uint64_t *count)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return "is no count";
    *count = (uint64_t)json_integer_value(value);
    return *count <= most ? NULL : "is too large";
}

static const char *take_number(const json_t *value, unsigned *number)
{
    uint64_t count = 0;
    const char *fault = take_count(value, UINT_MAX, &count);
    *number = (unsigned)count;
    return fault;
}

static const char *take_amount(const json_t *value, bool may_be_negative, double *amount)
{
    if (!json_is_number(value))
        return "is no number";
    *amount = json_number_value(value);
    if (*amount < 0 && !may_be_negative)
        return "is negative";
    return fabs(*amount) <= MOST_AMOUNT ? NULL : "is too large";
}

static const char *take_sentence(const json_t *value, size_t room, char *sentence)
{
    if (!json_is_string(value) || json_string_length(value) >= room)
        return "is no short text";
    memcpy(sentence, json_string_value(value), json_string_length(value) + 1);
    return NULL;
}

static const char *take_text(const json_t *value, char **text)
{
    if (!json_is_string(value))
        return "is no text";
    if (asprintf(text, "%s", json_string_value(value)) >= 0)
        return NULL;
    *text = NULL;
    return "does not fit into memory";
}

static const char *take_flag(const json_t *value, bool *flag)
{
    *flag = json_is_true(value);
    return json_is_boolean(value) ? NULL : "is neither true nor false";
}

static const char *take(const struct json_field *field, const json_t *value, void *to)
{
    if (json_is_null(value))
        return take_null(field->kind, to);
    switch (field->kind) {
    case JSON_FLAG: return take_flag(value, to);
    case JSON_COUNT:
    case JSON_LATER_COUNT:
    case JSON_SOME_COUNT: return take_count(value, (uint64_t)MOST_AMOUNT, to);
    case JSON_NUMBER:
    case JSON_SOME_NUMBER: return take_number(value, to);
    case JSON_OFFSET: return take_amount(value, true, to);
    case JSON_AMOUNT:
    case JSON_SOME_AMOUNT:
    case JSON_KNOWN: return take_amount(value, false, to);
    case JSON_SENTENCE: return take_sentence(value, field->size, to);
    default: return take_text(value, to);
    }
}

int json_read_fields(const struct json_field *fields, const json_t *object, const struct json_place *place,
                     void *into)
{
    for (; fields->path; fields++) {
        const json_t *value = json_member(object, place, fields->path);
        if (!value && fields->kind == JSON_LATER_COUNT)
            value = json_null();
        if (!value)
            return PARLEY_USAGE;
        const char *fault = take(fields, value, (char *)into + fields->offset);
        if (fault)
            return json_complain(place, fields->path, fault);
    }
    return 0;
}
