#include "load/condition.h"
#include "text/amount.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static double time_of(const struct condition *condition, const struct load_result *result)
{
    const struct histogram *histogram = (const void *)((const char *)result + condition->histogram);
    if (histogram->total == 0)
        return NAN;
    return condition->kind == METRIC_MEAN ? histogram_mean(histogram)
                                          : (double)histogram_at(histogram, condition->percentile);
}

static double share_of(uint64_t errors, uint64_t requests)
{
    return errors + requests > 0 ? 100 * (double)errors / (double)(errors + requests) : NAN;
}

double condition_value(const struct condition *condition, const struct load_result *result)
{
    switch (condition->kind) {
    case METRIC_RATE: return result->elapsed > 0 ? load_rate(result) : NAN;
    case METRIC_REQUESTS: return (double)result->requests;
    case METRIC_ERRORS: return (double)load_errors(result);
    case METRIC_ERROR_SHARE: return share_of(load_errors(result), result->requests);
    default: return time_of(condition, result);
    }
}

static bool compare(double value, enum condition_comparison comparison, double bound)
{
    switch (comparison) {
    case BELOW: return value < bound;
    case AT_MOST: return value <= bound;
    case ABOVE: return value > bound;
    case AT_LEAST: return value >= bound;
    default: return value == bound;
    }
}

static struct amount amount_of(enum condition_metric kind, double value)
{
    struct amount amount;
    switch (kind) {
    case METRIC_RATE: return amount_rate(value);
    case METRIC_ERROR_SHARE: return amount_percent(value);
    case METRIC_PERCENTILE:
    case METRIC_MEAN: return amount_time(value);
    default: snprintf(amount.text, sizeof amount.text, "%.0f", value); return amount;
    }
}

/* "p99 is 7.31 ms", "errors are 12". What three digits do not tell from the bound is said to differ from it.
 */
static void tell(const struct condition *condition, double value, char *text, size_t room)
{
    bool is_plural = condition->metric[strlen(condition->metric) - 1] == 's';
    struct amount amount = amount_of(condition->kind, value),
                  bound = amount_of(condition->kind, condition->bound);
    const char *differing = "";
    if (value != condition->bound && strcmp(amount.text, bound.text) == 0)
        differing = value > condition->bound ? "just above " : "just below ";
    if (isnan(value))
        snprintf(text, room, "%s %s not measured", condition->metric, is_plural ? "were" : "was");
    else
        snprintf(text, room, "%s %s %s%s", condition->metric, is_plural ? "are" : "is", differing,
                 amount.text);
}

bool condition_kept(const struct condition *condition, const struct load_result *result, char *what,
                    size_t room)
{
    double value = condition_value(condition, result);
    tell(condition, value, what, room);
    return compare(value, condition->comparison, condition->bound);
}

bool condition_holds(const struct condition *condition, const struct load_result *result, char *why,
                     size_t room)
{
    double value = condition_value(condition, result);
    char what[128];
    if (!isnan(value) && !compare(value, condition->comparison, condition->bound))
        return false;
    tell(condition, value, what, sizeof what);
    snprintf(why, room, "%s, and %s was to fail", what, condition->text);
    return true;
}
