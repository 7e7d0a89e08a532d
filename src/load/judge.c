#include "load/judge.h"
#include "report/amount.h"
#include <stdio.h>

/* Shares of a processor, or of the machine. */
static const double saturated = 0.95, busy = 0.85;

enum { TENTH_OF_A_MS = 100000, MILLISECOND = 1000000, TEN_MS = 10000000 };

static bool is_open_loop(const struct load_plan *plan)
{
    return plan->rate > 0;
}

/* ---- validity ---- */

/* Half of what is told would be our own lateness. What a timer costs on any machine is no reason. */
static bool lag_exceeds(const struct load_result *result, double percentile, uint64_t least)
{
    uint64_t lag = histogram_at(&result->lag, percentile),
             response = histogram_at(&result->response, percentile);
    return lag > least && lag > response / 2;
}

static bool refuse_lag(struct load_result *result, double percentile, uint64_t least)
{
    if (!lag_exceeds(result, percentile, least))
        return false;
    snprintf(result->invalid, sizeof result->invalid,
             "requests were sent late by the generator itself: at p%g %s of the %s it reports", percentile,
             amount_time((double)histogram_at(&result->lag, percentile)).text,
             amount_time((double)histogram_at(&result->response, percentile)).text);
    return true;
}

/* Slots that the generator never came to: the schedule has more than were handed out. */
static bool refuse_unsent(struct load_result *result, const struct load_plan *plan)
{
    double scheduled = plan->rate * result->elapsed;
    if (result->interrupted || (double)result->intended >= scheduled * 0.99 - 1)
        return false;
    snprintf(result->invalid, sizeof result->invalid,
             "the generator kept %s of its schedule: %s instead of %s (-t adds threads)",
             amount_percent(100 * (double)result->intended / scheduled).text,
             amount_rate((double)result->intended / result->elapsed).text, amount_rate(plan->rate).text);
    return true;
}

static void judge_validity(struct load_result *result, const struct load_plan *plan)
{
    result->valid = true;
    if (is_open_loop(plan) && result->elapsed > 0)
        result->valid = !refuse_unsent(result, plan);
    if (result->valid && is_open_loop(plan) && result->response.total > 0)
        result->valid = !refuse_lag(result, 50, TENTH_OF_A_MS) && !refuse_lag(result, 99, MILLISECOND) &&
                        !refuse_lag(result, 99.9, TEN_MS);
}

/* ---- who was the limit ---- */

static void describe_server(const struct load_limits *limits, char *text, size_t room)
{
    if (limits->server_busy < 0)
        snprintf(text, room, "the server cannot be seen from here");
    else
        snprintf(text, room, "the server used %.2f processors", limits->server_busy);
}

static const char *verdict(const struct load_result *result, const struct load_plan *plan)
{
    const struct load_limits *limits = &result->limits;
    if (is_open_loop(plan))
        return limits->generator_busy > saturated ? "the generator was at its limit"
                                                  : "the schedule set the rate";
    if (limits->generator_busy > saturated)
        return "the generator was the limit (-t adds threads)";
    if (limits->server_busy > busy && limits->server_busy > limits->generator_busy)
        return "the server was the limit";
    if (limits->machine_idle >= 0 && limits->machine_idle < 1 - saturated)
        return "this machine was the limit: no processor was free";
    return "neither was the limit: round trips set the rate (-c and --depth add load)";
}

static void judge_limits(struct load_result *result, const struct load_plan *plan)
{
    struct load_limits *limits = &result->limits;
    char server[80];
    describe_server(limits, server, sizeof server);
    snprintf(limits->sentence, sizeof limits->sentence,
             "%s; the generator's busiest thread was %.0f%% busy, %s", verdict(result, plan),
             100 * limits->generator_busy, server);
}

void load_judge(struct load_result *result, const struct load_plan *plan)
{
    judge_validity(result, plan);
    judge_limits(result, plan);
}
