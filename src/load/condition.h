/* The expressions of --fail-if and --find-rate: "p99>5ms", "errors>1%", "rate<10k", "service.p99.9>=250us".
 *
 * A metric, one of < <= > >= ==, and a bound. Metrics: p50, p99.9 or any other percentile, max and mean, of
 * the response time or, as "service.p99", of service, connect, first_byte or lag; rate (requests/s);
 * requests; errors, as a number or in % of all that were tried (requests and errors). Times need their unit.
 */
#ifndef LOAD_CONDITION_H
#define LOAD_CONDITION_H

#include "load/result.h"
#include <stdbool.h>
#include <stddef.h>

enum condition_metric {
    METRIC_PERCENTILE, /* of a histogram; p100 is the largest */
    METRIC_MEAN,       /* of a histogram */
    METRIC_RATE,
    METRIC_REQUESTS,
    METRIC_ERRORS,
    METRIC_ERROR_SHARE
};

enum condition_comparison { BELOW, AT_MOST, ABOVE, AT_LEAST, EQUAL };

struct condition {
    char text[64];   /* as it was written, without spaces */
    char metric[32]; /* its name in there */
    enum condition_metric kind;
    enum condition_comparison comparison;
    size_t histogram;  /* where in struct load_result, for the first two kinds */
    double percentile; /* 0 to 100 */
    double bound;      /* ns, requests, requests/s, or percent */
};

/* 0, or PARLEY_USAGE with a sentence that says what was wrong and what would be right. */
int condition_parse(struct condition *condition, const char *text);

/* What was measured of it, in the unit of its bound; NaN when nothing was, as of a connect time where no
 * connection was made. */
double condition_value(const struct condition *condition, const struct load_result *result);

/* --fail-if: whether the run is to fail. What was not measured cannot be said to be well, so that fails too.
 * `why`, if it is true: "p99 is 7.31 ms, and p99>5ms was to fail". */
bool condition_holds(const struct condition *condition, const struct load_result *result, char *why,
                     size_t room);

/* --find-rate: whether the promise was kept; what was not measured was not. `what`, always: "p99 is 7.31 ms".
 */
bool condition_kept(const struct condition *condition, const struct load_result *result, char *what,
                    size_t room);

#endif
