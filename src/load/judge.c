#include "load/judge.h"
#include "text/amount.h"
#include <stdio.h>

/* Shares of a processor, or of the machine. */
static const double saturated = 0.95, busy = 0.85, resting = 0.02;

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

static struct amount told_at(const struct histogram *histogram, double percentile)
{
    return amount_time((double)histogram_at(histogram, percentile));
}

static bool machine_is_full(const struct load_limits *limits)
{
    return limits->machine_idle >= 0 && limits->machine_idle < 1 - saturated;
}

/* Why it was late, and what would help. */
static const char *remedy(const struct load_limits *limits)
{
    if (limits->generator_busy > saturated)
        return " (-t adds threads)";
    return machine_is_full(limits) ? " (no processor was free for it)" : "";
}

static bool refuse_lag(struct load_result *result, double percentile, uint64_t least)
{
    if (!lag_exceeds(result, percentile, least))
        return false;
    bool is_part = histogram_at(&result->lag, percentile) <= histogram_at(&result->response, percentile);
    snprintf(result->invalid, sizeof result->invalid,
             "requests were sent late by the generator itself%s: at p%g %s %s the %s it reports%s",
             is_part ? "" : ", or not at all", percentile, told_at(&result->lag, percentile).text,
             is_part ? "of" : "beside", told_at(&result->response, percentile).text, remedy(&result->limits));
    return true;
}

/* Slots that the generator never came to: the schedule has more than were handed out. */
static bool refuse_unsent(struct load_result *result, const struct load_plan *plan)
{
    double scheduled = plan->rate * result->elapsed;
    if (result->interrupted || (double)result->intended >= scheduled * 0.99 - 1)
        return false;
    snprintf(result->invalid, sizeof result->invalid,
             "the generator kept %s of its schedule: %s instead of %s%s",
             amount_percent(100 * (double)result->intended / scheduled).text,
             amount_rate((double)result->intended / result->elapsed).text, amount_rate(plan->rate).text,
             remedy(&result->limits));
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

/* Neither wanted a processor, whoever else took them all. */
static bool rests(const struct load_limits *limits)
{
    return limits->server_busy >= 0 && limits->server_busy < resting && limits->generator_busy < resting;
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
    if (machine_is_full(limits) && !rests(limits))
        return "this machine was the limit: no processor was free";
    return "neither was the limit: round trips set the rate (-c and --depth add load)";
}

/* What is too rare to make a run invalid is told all the same. */
static void describe_lag(const struct load_result *result, char *text, size_t room)
{
    static const double percentiles[] = {90, 99, 99.9, 99.99};
    const struct amount lag = told_at(&result->lag, 100), most = told_at(&result->response, 100);
    *text = '\0';
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles && !*text; i++)
        if (lag_exceeds(result, percentiles[i], TENTH_OF_A_MS))
            snprintf(text, room, "; from p%g on times are mostly the generator's own lag, %s of the max %s",
                     percentiles[i], lag.text, most.text);
    if (!*text && lag_exceeds(result, 100, TENTH_OF_A_MS))
        snprintf(text, room, "; the max is mostly the generator's own lag, %s of %s", lag.text, most.text);
}

/* It was stopped, or got no processor, while replies waited for it. */
static void describe_stall(const struct load_result *result, char *text, size_t room)
{
    double stall = result->limits.stood_still * 1e9, most = (double)result->response.most;
    if (stall > MILLISECOND && stall > most / 2 && stall <= most)
        snprintf(text, room, "; the generator itself stood still for %s, and the max is %s",
                 amount_time(stall).text, amount_time(most).text);
}

static void judge_limits(struct load_result *result, const struct load_plan *plan)
{
    struct load_limits *limits = &result->limits;
    char server[80], lag[160] = "";
    if (limits->generator_busy < 0) {
        snprintf(limits->sentence, sizeof limits->sentence,
                 "nothing was measured, so nobody is known to be the limit");
        return;
    }
    describe_server(limits, server, sizeof server);
    if (is_open_loop(plan) && result->valid && result->response.total > 0)
        describe_lag(result, lag, sizeof lag);
    if (!*lag && result->valid && result->response.total > 0)
        describe_stall(result, lag, sizeof lag);
    snprintf(limits->sentence, sizeof limits->sentence,
             "%s; the generator's busiest thread was %.0f%% busy, %s%s", verdict(result, plan),
             100 * limits->generator_busy, server, lag);
}

void load_judge(struct load_result *result, const struct load_plan *plan)
{
    judge_validity(result, plan);
    judge_limits(result, plan);
}
