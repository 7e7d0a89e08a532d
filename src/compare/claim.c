/* What follows from the numbers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/compare.h"

/* Less than this, ns, is no cost that these clocks can tell from none. */
#define NOTHING 200.0

static bool is_better(const struct measure_form *form, double one, double other)
{
    return form->better > 0 ? one > other : one < other;
}

const struct candidate *comparison_best(const struct comparison *comparison, size_t workload,
                                        enum measure measure)
{
    const struct candidate *best = NULL;
    double value = NAN;
    size_t known = 0;
    for (size_t i = 0; i < comparison->count; i++) {
        const struct cell *cell = &comparison->candidates[i].cells[workload];
        double its = cell->count > 0 ? cell->median.values[measure] : NAN;
        if (isnan(its) || cell->errors > 0)
            continue;
        known++;
        if (!best || is_better(&measure_forms[measure], its, value)) {
            best = &comparison->candidates[i];
            value = its;
        }
    }
    return known > 1 && measure_forms[measure].better ? best : NULL;
}

/* What a connection costs a model; NaN when it was not measured. */
static double cost_of(const struct comparison *comparison, const char *placement, const char *poller)
{
    char name[64];
    snprintf(name, sizeof name, "%s+%s", placement, poller);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct cell *cell = &comparison->candidates[i].cells[comparison->plan->workload_count - 1];
        if (comparison->candidates[i].model && strcmp(comparison->candidates[i].model, name) == 0)
            return cell->count > 0 ? cell->median.values[MEASURE_CPU] : NAN;
    }
    return NAN;
}

bool comparison_claim(const struct comparison *comparison, struct claim *claim)
{
    /* The texts' servers block, so that comes first. */
    static const char *const pollers[] = {"blocking", "epoll", "poll", "select", "uring"};
    for (size_t i = 0; i < sizeof pollers / sizeof *pollers; i++) {
        *claim = (struct claim){.poller = pollers[i],
                                .fork = cost_of(comparison, "fork", pollers[i]),
                                .thread = cost_of(comparison, "thread", pollers[i]),
                                .iterative = cost_of(comparison, "iterative", pollers[i])};
        double process = claim->fork - claim->iterative, thread = claim->thread - claim->iterative;
        claim->ratio = claim->fork / claim->thread;
        claim->ratio_over = thread > NOTHING ? process / thread : NAN;
        if (!isnan(claim->fork) && !isnan(claim->thread) && !isnan(claim->iterative))
            return true;
    }
    return false;
}

const char *claim_text(const struct claim *claim, char text[CLAIM_ROOM])
{
    char fork[UNIT_ROOM], thread[UNIT_ROOM], iterative[UNIT_ROOM], over[UNIT_ROOM], more[UNIT_ROOM];
    unit_text(fork, UNIT_TIME, claim->fork);
    unit_text(thread, UNIT_TIME, claim->thread);
    unit_text(iterative, UNIT_TIME, claim->iterative);
    unit_text(over, UNIT_TIME, claim->fork - claim->iterative);
    unit_text(more, UNIT_TIME, claim->thread - claim->iterative);
    int length = snprintf(text, CLAIM_ROOM,
                          "A connection (connect, one exchange, close) costs the server %s of processor time "
                          "under fork, %s under thread and %s under iterative, each +%s: a process for each "
                          "client is %.1f times as dear as a thread.",
                          fork, thread, iterative, claim->poller, claim->ratio);
    if (length <= 0 || length >= CLAIM_ROOM)
        return text;
    if (!isnan(claim->ratio_over))
        snprintf(text + length, (size_t)(CLAIM_ROOM - length),
                 " What they add to iterative, making one and ending it, is %s for a process and %s for a "
                 "thread: %.1f times, where the textbooks say about 30.",
                 over, more, claim->ratio_over);
    else
        snprintf(text + length, (size_t)(CLAIM_ROOM - length),
                 " What a thread adds to iterative is too little to be told from nothing here; the textbooks "
                 "say that a process takes about 30 times as long.");
    return text;
}
