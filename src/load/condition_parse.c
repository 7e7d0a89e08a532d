#include "base/error.h"
#include "base/units.h"
#include "load/condition.h"
#include <stdio.h>
#include <string.h>

static int refuse(const char *text)
{
    return fail(PARLEY_USAGE,
                "\"%.60s\" is no condition (write \"p99>5ms\", \"errors>1%%\", \"rate<10k\", "
                "\"service.p99.9>=250us\")",
                text);
}

static int refuse_metric(const struct condition *condition)
{
    return fail(PARLEY_USAGE,
                "\"%s\": \"%s\" is not measured; rate, requests, errors, p50, p99.9, max and mean are, the "
                "latter also as service.p99, connect.p99, first_byte.p99 and lag.p99",
                condition->text, condition->metric);
}

/* What a percentile or a mean can be of; without a name it is the response time. */
static const struct {
    const char *name;
    size_t offset;
} histograms[] = {
    {"service.", offsetof(struct load_result, service)},
    {"connect.", offsetof(struct load_result, connect)},
    {"first_byte.", offsetof(struct load_result, first_byte)},
    {"lag.", offsetof(struct load_result, lag)},
    {"", offsetof(struct load_result, response)},
};

/* Returns what follows the histogram's name. */
static const char *take_histogram(struct condition *condition)
{
    size_t i = 0;
    while (strncmp(condition->metric, histograms[i].name, strlen(histograms[i].name)) != 0)
        i++;
    condition->histogram = histograms[i].offset;
    return condition->metric + strlen(histograms[i].name);
}

/* A decimal number from 0. The parser of counts reads whole numbers: so many billionths. */
static int parse_decimal(const char *digits, size_t size, double *number)
{
    char text[32];
    uint64_t billionths;
    if (size == 0 || digits[size - 1] < '0' || digits[size - 1] > '9')
        return -1;
    snprintf(text, sizeof text, "%.*sG", (int)size, digits);
    if (parse_count(text, &billionths) != 0)
        return -1;
    *number = (double)billionths / 1e9;
    return 0;
}

static int parse_percentile(struct condition *condition, const char *name)
{
    condition->kind = METRIC_PERCENTILE;
    condition->percentile = 100;
    if (strcmp(name, "max") == 0)
        return 0;
    if (*name != 'p' || parse_decimal(name + 1, strlen(name + 1), &condition->percentile) != 0)
        return refuse_metric(condition);
    if (condition->percentile > 100)
        return fail(PARLEY_USAGE, "\"%s\": there is no percentile above p100", condition->text);
    return 0;
}

static int parse_metric(struct condition *condition)
{
    static const struct {
        const char *name;
        enum condition_metric kind;
    } totals[] = {{"rate", METRIC_RATE}, {"requests", METRIC_REQUESTS}, {"errors", METRIC_ERRORS}};
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        if (strcmp(condition->metric, totals[i].name) == 0) {
            condition->kind = totals[i].kind;
            return 0;
        }
    const char *name = take_histogram(condition);
    if (strcmp(name, "mean") != 0)
        return parse_percentile(condition, name);
    condition->kind = METRIC_MEAN;
    return 0;
}

/* Returns what follows the sign; NULL: it is none. The longer ones come first. */
static const char *take_comparison(struct condition *condition, const char *at)
{
    static const struct {
        const char *sign;
        enum condition_comparison comparison;
    } signs[] = {{"<=", AT_MOST}, {">=", AT_LEAST}, {"==", EQUAL}, {"<", BELOW}, {">", ABOVE}};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strncmp(at, signs[i].sign, strlen(signs[i].sign)) == 0) {
            condition->comparison = signs[i].comparison;
            return at + strlen(signs[i].sign);
        }
    return NULL;
}

static int parse_time_bound(struct condition *condition, const char *text)
{
    int64_t ns;
    if (text[0] != '0' && text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0')
        return fail(PARLEY_USAGE, "\"%s\" lacks a unit (write \"%sms\", \"%sus\" or \"%ss\")",
                    condition->text, condition->text, condition->text, condition->text);
    if (parse_nanoseconds(text, &ns) != 0)
        return fail(PARLEY_USAGE, "\"%s\": %s", condition->text, parley_error());
    condition->bound = (double)ns;
    return 0;
}

static int parse_share(struct condition *condition, const char *text, size_t size)
{
    condition->kind = METRIC_ERROR_SHARE;
    if (parse_decimal(text, size, &condition->bound) == 0 && condition->bound <= 100)
        return 0;
    return fail(PARLEY_USAGE, "\"%s\": \"%s\" is no share (write \"1%%\", \"0.1%%\", up to \"100%%\")",
                condition->text, text);
}

/* A rate may say that it is one: "10k/s". */
static int parse_count_bound(struct condition *condition, const char *text)
{
    size_t size = strlen(text);
    char number[sizeof condition->text];
    uint64_t count;
    if (condition->kind == METRIC_ERRORS && size > 0 && text[size - 1] == '%')
        return parse_share(condition, text, size - 1);
    if (condition->kind == METRIC_RATE && size > 2 && strcmp(text + size - 2, "/s") == 0)
        size -= 2;
    snprintf(number, sizeof number, "%.*s", (int)size, text);
    if (parse_count(number, &count) != 0)
        return fail(PARLEY_USAGE, "\"%s\": %s", condition->text, parley_error());
    condition->bound = (double)count;
    return 0;
}

static bool copy_without_spaces(struct condition *condition, const char *text)
{
    size_t used = 0;
    for (; *text != '\0' && used + 1 < sizeof condition->text; text++)
        if (*text != ' ')
            condition->text[used++] = *text;
    condition->text[used] = '\0';
    return *text == '\0';
}

int condition_parse(struct condition *condition, const char *text)
{
    *condition = (struct condition){0};
    if (!copy_without_spaces(condition, text))
        return refuse(text);
    size_t size = strcspn(condition->text, "<>=!");
    const char *bound = take_comparison(condition, condition->text + size);
    if (bound == NULL || size == 0 || size >= sizeof condition->metric)
        return refuse(text);
    memcpy(condition->metric, condition->text, size);
    int status = parse_metric(condition);
    if (status != 0)
        return status;
    return condition->kind <= METRIC_MEAN ? parse_time_bound(condition, bound)
                                          : parse_count_bound(condition, bound);
}
