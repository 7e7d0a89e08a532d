/* What the reports say alike. */
#include <math.h>
#include <string.h>

#include "compare/report.h"

const char *workload_text(const struct workload *workload, char text[WORDING])
{
    if (workload->churn)
        snprintf(text, WORDING, "a connection for each exchange");
    else
        snprintf(text, WORDING, "%u connection%s", workload->connections,
                 workload->connections == 1 ? "" : "s");
    return text;
}

const char *gap_text(const struct comparison *comparison, const struct candidate *candidate, size_t workload,
                     char text[WORDING])
{
    if (candidate->cells[workload].count > 0)
        return NULL;
    if (*candidate->reason)
        snprintf(text, WORDING, "%s%s", candidate->refused ? "refused: " : "", candidate->reason);
    else if (candidate_takes(candidate, &comparison->plan->workloads[workload]))
        snprintf(text, WORDING, "not measured");
    else if (candidate->at_once == 1)
        snprintf(text, WORDING, "serves one client at a time");
    else
        snprintf(text, WORDING, "serves %u clients at a time", candidate->at_once);
    return text;
}

const char *remark_text(const struct candidate *candidate, size_t workload, char text[WORDING])
{
    const struct cell *cell = &candidate->cells[workload];
    size_t length = 0;
    *text = '\0';
    if (cell->errors > 0)
        length =
            (size_t)snprintf(text, WORDING, "%llu error%s, the first: %s", (unsigned long long)cell->errors,
                             cell->errors == 1 ? "" : "s", cell->first_error);
    if (cell->count > 0 && *candidate->reason && length < WORDING)
        snprintf(text + length, WORDING - length, "%s%s", length > 0 ? "; " : "", candidate->reason);
    return *text ? text : NULL;
}

const char *bound_text(const struct comparison *comparison, size_t workload, char text[WORDING])
{
    size_t length = 0;
    for (size_t i = 0; i < comparison->count && length < WORDING; i++)
        if (cell_generator_bound(&comparison->candidates[i].cells[workload]))
            length += (size_t)snprintf(text + length, WORDING - length, "%s%s", length > 0 ? ", " : "",
                                       comparison->candidates[i].name);
    return length > 0 ? text : NULL;
}

const char *processors_text(const struct processors *processors, char text[WORDING])
{
    size_t length = 0;
    snprintf(text, WORDING, "any");
    for (size_t i = 0; i < processors->count && length < WORDING; i++) {
        size_t last = i;
        while (last + 1 < processors->count && processors->list[last + 1] == processors->list[last] + 1)
            last++;
        const char *between = length > 0 ? "," : "";
        if (last > i)
            length += (size_t)snprintf(text + length, WORDING - length, "%s%d-%d", between,
                                       processors->list[i], processors->list[last]);
        else
            length += (size_t)snprintf(text + length, WORDING - length, "%s%d", between, processors->list[i]);
        i = last;
    }
    return text;
}

static bool is_complete(const struct comparison *comparison, const struct candidate *candidate)
{
    for (size_t i = 0; i < comparison->plan->workload_count; i++)
        if (candidate_takes(candidate, &comparison->plan->workloads[i]) &&
            candidate->cells[i].count < comparison->plan->rounds)
            return false;
    return true;
}

const char *candidate_status(const struct comparison *comparison, const struct candidate *candidate)
{
    if (candidate->refused)
        return "refused";
    if (*candidate->reason)
        return "failed";
    return is_complete(comparison, candidate) ? "measured" : "incomplete";
}

const char *measure_heading(enum measure measure, const struct workload *workload, char text[WORDING])
{
    const char *heading = measure_forms[measure].heading;
    bool each = measure == MEASURE_CPU || measure == MEASURE_SWITCHES;
    snprintf(text, WORDING, "%s%s", heading, !each ? "" : workload->churn ? "/connection" : "/message");
    return text;
}

double cell_spread(const struct cell *cell)
{
    double least = cell->least.values[MEASURE_RATE], most = cell->most.values[MEASURE_RATE];
    return cell->count > 1 ? (most - least) / cell->median.values[MEASURE_RATE] : NAN;
}

void surroundings_open(struct load_result *here, const struct compare_plan *plan)
{
    struct load_plan load;
    compare_load_plan(plan, &plan->workloads[0], &load);
    load.address = "127.0.0.1";
    if (load_result_open(here) == 0)
        load_conditions_fill(&here->conditions, &load);
}
