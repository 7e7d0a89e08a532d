/* The comparison as JSON: docs/compare-json.md. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "compare/report.h"
#include "report/json_field.h"

/* What is not known is null, never a number that means so. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text(const char *value)
{
    json_t *string = value && *value ? json_string(value) : NULL;
    return string ? string : json_null(); /* jansson refuses what is no UTF-8 */
}

static json_t *date(double since)
{
    time_t seconds = (time_t)since;
    struct tm parts;
    char written[32] = "";
    if (gmtime_r(&seconds, &parts))
        strftime(written, sizeof written, "%FT%TZ", &parts);
    return text(written);
}

/* Times are ns here, and us there. */
static double told(int measure, double value)
{
    return measure_forms[measure].unit == UNIT_TIME ? value / 1000 : value;
}

static void put_measures(json_t *object, const struct measurement *measurement)
{
    for (int measure = 0; measure < MEASURES; measure++)
        json_object_set_new(object, measure_forms[measure].key,
                            number(told(measure, measurement->values[measure])));
}

static json_t *rounds_of(const struct cell *cell)
{
    json_t *rounds = json_array();
    for (size_t i = 0; i < cell->count; i++) {
        json_t *round = json_object();
        put_measures(round, &cell->rounds[i]);
        json_object_set_new(round, "errors", json_integer((json_int_t)cell->rounds[i].errors));
        json_array_append_new(rounds, round);
    }
    return rounds;
}

/* One candidate under one workload: null when it has no numbers. */
static json_t *cell_object(const struct cell *cell)
{
    if (cell->count == 0)
        return json_null();
    json_t *object = json_object();
    put_measures(object, &cell->median);
    json_object_set_new(object, "rate_least", number(cell->least.values[MEASURE_RATE]));
    json_object_set_new(object, "rate_most", number(cell->most.values[MEASURE_RATE]));
    json_object_set_new(object, "generator_was_the_limit", json_boolean(cell_generator_bound(cell)));
    json_object_set_new(object, "errors", json_integer((json_int_t)cell->errors));
    json_object_set_new(object, "first_error", text(cell->first_error));
    json_object_set_new(object, "rounds", rounds_of(cell));
    return object;
}

static json_t *run_object(const struct comparison *comparison, const struct candidate *candidate,
                          size_t workload)
{
    char words[WORDING];
    json_t *object = json_object();
    json_object_set_new(object, "connections",
                        json_integer(comparison->plan->workloads[workload].connections));
    json_object_set_new(object, "result", cell_object(&candidate->cells[workload]));
    json_object_set_new(object, "reason", text(gap_text(comparison, candidate, workload, words)));
    return object;
}

static json_t *runs_of(const struct comparison *comparison, const struct candidate *candidate)
{
    json_t *runs = json_array();
    for (size_t i = 0; i + 1 < comparison->plan->workload_count; i++)
        json_array_append_new(runs, run_object(comparison, candidate, i));
    return runs;
}

static json_t *memory_of(const struct memory *memory)
{
    json_t *object = json_object();
    json_object_set_new(object, "idle_bytes", number(memory->idle));
    json_object_set_new(object, "connection_bytes", number(memory->per_connection));
    json_object_set_new(object, "connections", json_integer(memory->held));
    json_object_set_new(object, "processes",
                        memory->processes ? json_integer(memory->processes) : json_null());
    json_object_set_new(object, "threads", memory->threads ? json_integer(memory->threads) : json_null());
    return object;
}

static json_t *command_of(const struct candidate *candidate)
{
    json_t *words = candidate->words ? json_array() : json_null();
    for (char **word = candidate->words; word && *word; word++)
        json_array_append_new(words, text(*word));
    return words;
}

static json_t *candidate_object(const struct comparison *comparison, const struct candidate *candidate)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", text(candidate->name));
    json_object_set_new(object, "model", text(candidate->model));
    json_object_set_new(object, "command", command_of(candidate));
    json_object_set_new(object, "status", text(candidate_status(comparison, candidate)));
    json_object_set_new(object, "reason", text(candidate->reason));
    json_object_set_new(object, "at_once",
                        candidate->at_once ? json_integer(candidate->at_once) : json_null());
    json_object_set_new(object, "runs", runs_of(comparison, candidate));
    json_object_set_new(object, "setup",
                        cell_object(&candidate->cells[comparison->plan->workload_count - 1]));
    json_object_set_new(object, "memory", memory_of(&candidate->memory));
    return object;
}

static json_t *candidates_of(const struct comparison *comparison)
{
    json_t *candidates = json_array();
    for (size_t i = 0; i < comparison->count; i++)
        json_array_append_new(candidates, candidate_object(comparison, &comparison->candidates[i]));
    return candidates;
}

static json_t *claim_of(const struct comparison *comparison)
{
    struct claim claim;
    char words[CLAIM_ROOM];
    if (!comparison_claim(comparison, &claim))
        return json_null();
    json_t *object = json_object();
    json_object_set_new(object, "poller", text(claim.poller));
    json_object_set_new(object, "fork_us", number(claim.fork / 1000));
    json_object_set_new(object, "thread_us", number(claim.thread / 1000));
    json_object_set_new(object, "iterative_us", number(claim.iterative / 1000));
    json_object_set_new(object, "ratio", number(claim.ratio));
    json_object_set_new(object, "ratio_over_iterative", number(claim.ratio_over));
    json_object_set_new(object, "sentence", text(claim_text(&claim, words)));
    return object;
}

static void put_plan(json_t *object, const struct compare_plan *plan)
{
    char words[WORDING];
    json_object_set_new(object, "command_line", text(plan->command_line));
    json_object_set_new(object, "server_processors", text(processors_text(&plan->server, words)));
    json_object_set_new(object, "generator_processors", text(processors_text(&plan->generator, words)));
    json_object_set_new(object, "duration_s", number((double)plan->duration / 1000));
    json_object_set_new(object, "warmup_s", number((double)compare_warmup(plan) / 1000));
    json_object_set_new(object, "rounds", json_integer(plan->rounds));
    json_object_set_new(object, "message_size", json_integer((json_int_t)plan->size));
    json_object_set_new(object, "depth", json_integer(plan->depth));
    json_object_set_new(object, "workers", plan->workers ? json_integer(plan->workers) : json_null());
}

static json_t *conditions_of(const struct compare_plan *plan)
{
    struct load_result here;
    json_t *object = json_object();
    put_plan(object, plan);
    surroundings_open(&here, plan);
    json_object_set_new(object, "version", text(here.conditions.version));
    json_object_set_new(object, "host", text(here.conditions.host));
    json_object_set_new(object, "kernel", text(here.conditions.kernel));
    json_object_set_new(object, "processor", text(here.conditions.processor));
    json_object_set_new(object, "processors", json_integer(here.conditions.processors));
    load_result_close(&here);
    return object;
}

static json_t *document_of(const struct comparison *comparison)
{
    json_t *document = json_object();
    json_object_set_new(document, "schema", text(COMPARE_JSON_SCHEMA));
    json_object_set_new(document, "service", text(comparison->plan->exchange->service));
    json_object_set_new(document, "interrupted", json_signal(comparison->interrupted));
    json_object_set_new(document, "since", date(comparison->since));
    json_object_set_new(document, "elapsed_s", number(comparison->elapsed));
    json_object_set_new(document, "conditions", conditions_of(comparison->plan));
    json_object_set_new(document, "candidates", candidates_of(comparison));
    json_object_set_new(document, "fork_and_thread", claim_of(comparison));
    return document;
}

int compare_json_write(const struct comparison *comparison, FILE *out)
{
    json_t *document = document_of(comparison);
    int status = document ? json_dumpf(document, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : -1;
    json_decref(document);
    if (status < 0 || fputc('\n', out) == EOF || fflush(out) != 0)
        return fail_call("write", NULL, errno ? errno : ENOMEM);
    return 0;
}
