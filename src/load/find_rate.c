#include "load/find_rate.h"
#include "base/error.h"
#include "load/surroundings.h"
#include "text/amount.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The gap, as a ratio, at which the search ends; and how much lower a confirmation that failed goes on. */
static const double close_enough = 1.02, step_back = 0.95;

/* What fails at this part of what a closed loop reaches is no matter of the rate. */
enum { PROBE = 1000 /* ms */, LEAST_RATE = 1, HOPELESS = 256 };

struct hunt {
    struct load_plan plan;
    const struct condition *promises;
    size_t promise_count;
    struct load_result *best;
    struct load_search search;
    void (*tell)(const struct load_trial *trial);
    double doubtful; /* a rate that was not kept once: a second trial decides; 0 none */
    bool confirmed;
};

/* ---- one trial ---- */

static struct load_trial *new_trial(struct hunt *hunt, double rate)
{
    struct load_trial *trial = &hunt->search.trials[hunt->search.trial_count++];
    *trial = (struct load_trial){.rate = rate};
    return trial;
}

/* Whether it was said how many errors there may be. */
static bool permits_errors(const struct hunt *hunt)
{
    for (size_t i = 0; i < hunt->promise_count; i++)
        if (hunt->promises[i].kind == METRIC_ERRORS || hunt->promises[i].kind == METRIC_ERROR_SHARE)
            return true;
    return false;
}

/* What is missing when a trial ends may just be under way: of few requests that is much. Those that came to
 * nothing were asked all the same. */
static bool falls_short(const struct hunt *hunt, const struct load_result *result, double rate)
{
    double under_way = 1 + rate * histogram_mean(&result->service) / 1e9;
    double asked = rate * result->elapsed,
           done = (double)result->requests + (permits_errors(hunt) ? (double)load_errors(result) : 0);
    return done < 0.98 * asked && asked - done > under_way;
}

/* All of them, and what was measured of each; or the first that was not kept. */
static bool promises_kept(const struct hunt *hunt, const struct load_result *result, struct load_trial *trial)
{
    size_t used = 0;
    for (size_t i = 0; i < hunt->promise_count; i++) {
        char what[64];
        bool kept = condition_kept(&hunt->promises[i], result, what, sizeof what);
        used = kept ? used : 0;
        used += (size_t)snprintf(trial->what + used, sizeof trial->what - used, "%s%s", used > 0 ? ", " : "",
                                 what);
        if (!kept || used >= sizeof trial->what)
            return kept;
    }
    return true;
}

/* The promise, and what belongs to it: nothing is lost, and the rate was reached. */
static bool is_kept(const struct hunt *hunt, const struct load_result *result, struct load_trial *trial)
{
    bool kept = promises_kept(hunt, result, trial);
    if (kept && load_errors(result) > 0 && !permits_errors(hunt)) {
        snprintf(trial->what, sizeof trial->what, "%llu errors", (unsigned long long)load_errors(result));
        return false;
    }
    if (kept && falls_short(hunt, result, trial->rate)) {
        snprintf(trial->what, sizeof trial->what, "only %s were answered",
                 amount_rate(load_rate(result)).text);
        return false;
    }
    return kept;
}

/* Our own lateness is in the response times: a promise that was kept all the same, was kept. */
static void accept_lateness(struct load_result *result)
{
    result->valid = true;
    *result->invalid = '\0';
}

/* A busy moment of the machine is no property of the server: only who fails twice has failed. */
static void note_broken(struct hunt *hunt, double rate, bool by_generator)
{
    if (hunt->doubtful != rate) {
        hunt->doubtful = rate;
        return;
    }
    hunt->doubtful = 0;
    hunt->search.broken = rate;
    hunt->search.by_generator = by_generator;
}

static void note_kept(struct hunt *hunt, double rate, struct load_result *result)
{
    struct load_search *search = &hunt->search;
    hunt->doubtful = 0;
    accept_lateness(result);
    if (rate < search->found)
        return;
    hunt->confirmed = rate == search->found;
    search->found = rate;
    struct load_result other = *hunt->best;
    *hunt->best = *result;
    *result = other;
}

static void judge_trial(struct hunt *hunt, struct load_trial *trial, struct load_result *result)
{
    trial->kept = is_kept(hunt, result, trial);
    if (!trial->kept && !result->valid)
        snprintf(trial->what, sizeof trial->what, "the generator could not keep its schedule");
    if (trial->kept)
        note_kept(hunt, trial->rate, result);
    else
        note_broken(hunt, trial->rate, !result->valid);
}

/* 0, or a parley_status; `*interrupted` as load_run() has it. */
static int try_rate(struct hunt *hunt, double rate, int *interrupted)
{
    struct load_result result;
    struct load_trial *trial = new_trial(hunt, rate);
    int status = load_result_open(&result);
    hunt->plan.rate = rate;
    if (status == 0)
        status = load_run(&hunt->plan, &result);
    *interrupted = result.interrupted;
    if (status == 0 && !result.interrupted)
        judge_trial(hunt, trial, &result);
    else
        hunt->search.trial_count--;
    if (status == 0 && !result.interrupted && hunt->tell)
        hunt->tell(trial);
    load_result_close(&result);
    return status;
}

/* ---- the search ---- */

/* What a closed loop reaches is where the schedule begins to be too much. */
static int probe(struct hunt *hunt, double *reached, int *interrupted)
{
    struct load_result result;
    struct load_plan plan = hunt->plan;
    plan.rate = 0;
    plan.duration = plan.duration < PROBE ? plan.duration : PROBE;
    int status = load_result_open(&result);
    if (status == 0)
        status = load_run(&plan, &result);
    *reached = load_rate(&result);
    *interrupted = result.interrupted;
    if (status == 0 && !*interrupted && *reached == 0)
        status = fail(PARLEY_NETWORK, "not one request was answered: %s", load_first_error(&result));
    load_result_close(&result);
    return status;
}

/* Between what was kept and what was not, in whole requests; 0: they are close enough, or nothing is. */
static double between(const struct load_search *search)
{
    double middle = rint(sqrt(search->broken * search->found));
    if (search->broken <= search->found * close_enough || middle == search->found || middle == search->broken)
        return 0;
    return middle;
}

/* 0: the search is over. */
static double next_rate(struct hunt *hunt, double reached)
{
    struct load_search *search = &hunt->search;
    if (search->trial_count == LOAD_TRIALS)
        return 0;
    if (hunt->doubtful > 0)
        return hunt->doubtful;
    if (search->broken > 0 && search->found >= search->broken) { /* its confirmation failed */
        search->found = 0;
        return fmin(rint(search->broken * step_back), search->broken - 1);
    }
    if (search->broken == 0)
        return search->found > 0 ? search->found * 1.5 : reached / 2;
    if (search->found == 0)
        return search->broken > fmax(reached / HOPELESS, LEAST_RATE) ? search->broken / 2 : 0;
    double middle = between(search);
    return middle > 0 || hunt->confirmed ? middle : search->found;
}

static void describe(struct hunt *hunt, bool interrupted)
{
    struct load_search *search = &hunt->search;
    struct amount found = amount_rate(search->found), broken = amount_rate(search->broken);
    const char *is = hunt->promise_count > 1 ? "are" : "is";
    char *text = search->sentence;
    size_t room = sizeof search->sentence;
    if (search->found == 0 && interrupted)
        snprintf(text, room, "interrupted before a rate was found that keeps %s", search->promise);
    else if (search->found == 0)
        snprintf(text, room, "no rate kept %s", search->promise);
    else if (search->broken == 0)
        snprintf(text, room, "%s %s kept up to %s at least: there was no time to try more", search->promise,
                 is, found.text);
    else if (search->by_generator)
        snprintf(text, room, "%s %s kept up to %s at least: at %s the generator is the limit",
                 search->promise, is, found.text, broken.text);
    else
        snprintf(text, room, "%s %s kept up to %s, and %s not at %s (+%.1f %%)", search->promise, is,
                 found.text, is, broken.text, 100 * (search->broken / search->found - 1));
}

static void name_promises(struct hunt *hunt)
{
    size_t used = 0, room = sizeof hunt->search.promise;
    for (size_t i = 0; i < hunt->promise_count && used < room; i++)
        used += (size_t)snprintf(hunt->search.promise + used, room - used, "%s%s", i > 0 ? " and " : "",
                                 hunt->promises[i].text);
}

/* Where no trial has left its own: what was asked for, of no rate in particular, and when. */
static int tell_conditions(struct hunt *hunt, const struct timespec *since)
{
    const struct load_plan *plan = &hunt->plan;
    struct load_conditions *conditions = &hunt->best->conditions;
    if (conditions->target)
        return 0;
    int status = load_conditions_fill(conditions, plan);
    free(conditions->mode);
    conditions->rate = 0;
    conditions->mode = load_mode(plan->churn ? "churn" : "open loop", 0, plan->churn ? 1 : plan->depth);
    hunt->best->since = (double)since->tv_sec + (double)since->tv_nsec / 1e9;
    return status;
}

static int hunt_down(struct hunt *hunt, int *interrupted)
{
    double reached = 0;
    int status = probe(hunt, &reached, interrupted);
    for (double rate; status == 0 && !*interrupted && (rate = next_rate(hunt, reached)) > 0;)
        status = try_rate(hunt, rate < LEAST_RATE ? LEAST_RATE : rint(rate), interrupted);
    return status;
}

int load_find_rate(const struct load_plan *plan, const struct condition *promises, size_t count,
                   struct load_result *result, void (*tell)(const struct load_trial *trial))
{
    struct hunt hunt = {
        .plan = *plan, .promises = promises, .promise_count = count, .best = result, .tell = tell};
    struct timespec since;
    int interrupted = 0;
    clock_gettime(CLOCK_REALTIME, &since);
    name_promises(&hunt);
    int status = hunt_down(&hunt, &interrupted);
    describe(&hunt, interrupted);
    result->interrupted = interrupted;
    result->search = hunt.search;
    return status == 0 ? tell_conditions(&hunt, &since) : status;
}
