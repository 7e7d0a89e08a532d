/* Who is measured: models, and peers with their command. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "compare/compare.h"
#include "compare/words.h"
#include "engine/model.h"
#include "option/option.h"

static int no_memory(void)
{
    return fail(PARLEY_RESOURCE, "no memory for the servers to compare");
}

/* A further one at the end of the list, its name taken over; NULL without memory. */
static struct candidate *add(struct comparison *comparison, char *name)
{
    struct candidate *candidates =
        realloc(comparison->candidates, (comparison->count + 1) * sizeof *candidates);
    if (candidates)
        comparison->candidates = candidates;
    if (!candidates || !name) {
        free(name);
        return NULL;
    }
    struct candidate *candidate = &candidates[comparison->count++];
    *candidate = (struct candidate){.name = name};
    return candidate;
}

static bool is_named(const struct comparison *comparison, const char *name)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (strcmp(comparison->candidates[i].name, name) == 0)
            return true;
    return false;
}

static unsigned workers_of(const struct compare_plan *plan)
{
    if (plan->workers > 0)
        return plan->workers;
    return plan->server.count > 0 ? (unsigned)plan->server.count : 1;
}

static unsigned at_once_of(const struct model *model, const struct compare_plan *plan)
{
    enum { OWN_DESCRIPTORS = 24 }; /* the server's, beside those of its clients */
    if (model->placement->limit > 0)
        return model->placement->limit;
    if (model->placement->per_client && model->placement->processes)
        return 0;
    /* A thread for each client has a descriptor of its own beside the client's, in the same process. */
    if (model->poller->descriptors > 0)
        return ((unsigned)model->poller->descriptors - OWN_DESCRIPTORS) /
               (model->placement->per_client ? 2 : 1);
    return model->placement->per_client ? 0 : model->poller->capacity * workers_of(plan);
}

int comparison_add_model(struct comparison *comparison, const char *text)
{
    struct model model;
    char name[64];
    int status = model_parse(&model, text);
    if (status)
        return status;
    snprintf(name, sizeof name, "%s+%s", model.placement->name, model.poller->name);
    if (is_named(comparison, name))
        return 0;
    struct candidate *candidate = add(comparison, strdup(name));
    if (!candidate)
        return no_memory();
    candidate->model = strdup(name);
    candidate->at_once = at_once_of(&model, comparison->plan);
    if (placement_has_pool(model.placement))
        candidate->workers = comparison->plan->workers;
    return candidate->model ? 0 : no_memory();
}

static bool has_port(char *const *words)
{
    for (; *words; words++)
        if (strstr(*words, "{port}"))
            return true;
    return false;
}

int comparison_add_peer(struct comparison *comparison, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return fail(PARLEY_USAGE, "--peer '%s' has no name; say --peer 'NAME=COMMAND {port}'", text);
    char **words = words_split(equals + 1);
    if (!words)
        return fail(PARLEY_USAGE, "--peer '%s': %s", text, parley_error());
    struct candidate *candidate = NULL;
    char *name = strndup(text, (size_t)(equals - text));
    int status = 0;
    if (!has_port(words))
        status = fail(PARLEY_USAGE,
                      "--peer '%s': the command has no {port}, where the port it is to listen on "
                      "would stand",
                      text);
    else if (name && is_named(comparison, name))
        status = fail(PARLEY_USAGE, "--peer '%s': two servers are named %s", text, name);
    else if (!(candidate = add(comparison, name)))
        return words_free(words), no_memory();
    if (candidate)
        candidate->words = words;
    else
        words_free(words), free(name);
    return status;
}

static void candidate_close(struct candidate *candidate)
{
    free(candidate->name);
    free(candidate->model);
    words_free(candidate->words);
    for (size_t i = 0; i <= MOST_WORKLOADS; i++) {
        free(candidate->cells[i].rounds);
        histogram_close(&candidate->cells[i].latency);
    }
}

void comparison_close(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        candidate_close(&comparison->candidates[i]);
    free(comparison->candidates);
    comparison->candidates = NULL;
    comparison->count = 0;
}

bool candidate_takes(const struct candidate *candidate, const struct workload *workload)
{
    return candidate->at_once == 0 || workload->connections <= candidate->at_once;
}

static bool has_errors(const struct candidate *candidate)
{
    for (size_t i = 0; i <= MOST_WORKLOADS; i++)
        if (candidate->cells[i].errors > 0)
            return true;
    return false;
}

bool comparison_failed(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        const struct candidate *candidate = &comparison->candidates[i];
        bool excused = candidate->refused && comparison->plan->may_refuse;
        if ((*candidate->reason && !excused) || has_errors(candidate))
            return true;
    }
    return false;
}
