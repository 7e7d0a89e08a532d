#include "command/compare_plan.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "load/result.h"

enum { MOST_CONNECTIONS = 1000000, MOST_ROUNDS = 1000, MOST_DEPTH = 100000, MOST_WORKERS = 256, PART = 64 };
#define MOST_SIZE (UINT64_C(64) << 20)

/* ---- lists ---- */

/* Takes the next part of a list, which commas separate; NULL after the last. What does not fit is cut, and
 * then no name of anything. */
static const char *next_part(const char *list, char part[PART])
{
    size_t length = strcspn(list, ",");
    snprintf(part, PART, "%.*s", (int)length, list);
    return list[length] ? list + length + 1 : NULL;
}

static int add_workload(struct compare_plan *plan, const struct arguments *arguments, const char *text)
{
    uint64_t connections;
    if (parse_count(text, &connections))
        return complain(arguments->subcommand, "--connections: %s", parley_error());
    if (connections < 1 || connections > MOST_CONNECTIONS)
        return complain(arguments->subcommand, "--connections %s: from 1 to %d, please", text,
                        MOST_CONNECTIONS);
    if (plan->workload_count == MOST_WORKLOADS)
        return complain(arguments->subcommand, "--connections: at most %d numbers, please", MOST_WORKLOADS);
    plan->workloads[plan->workload_count++] = (struct workload){.connections = (unsigned)connections};
    return 0;
}

static int read_workloads(struct compare_plan *plan, const struct arguments *arguments)
{
    const char *given = arguments_value(arguments, "connections"), *list = given ? given : "1,50,1000";
    char part[PART];
    for (int status; list;) {
        list = next_part(list, part);
        if ((status = add_workload(plan, arguments, part)) != 0)
            return status;
    }
    plan->workloads[plan->workload_count++] = (struct workload){.connections = 1, .churn = true};
    return 0;
}

/* ---- processors ---- */

/* "3" or "0-3"; returns what follows it, NULL when it is neither. */
static const char *take_range(const char *text, struct processors *processors)
{
    char *end;
    long first = strtol(text, &end, 10), last = first;
    if (end == text || *text < '0' || *text > '9')
        return NULL;
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        last = strtol(end + 1, &end, 10);
    if (last < first || last - first >= MOST_PROCESSORS || last >= CPU_SETSIZE)
        return NULL;
    for (long number = first; number <= last; number++)
        processors->list[processors->count++] = (int)number;
    return end;
}

static int check_processors(const struct arguments *arguments, const struct processors *processors,
                            const cpu_set_t *ours)
{
    for (size_t i = 0; i < processors->count; i++)
        if (!CPU_ISSET((size_t)processors->list[i], ours))
            return complain(arguments->subcommand, "--processors: processor %d is not ours to use",
                            processors->list[i]);
    return 0;
}

/* A processor each, where there are two: the servers have the last, since the first takes most interrupts. */
static void share_processors(struct compare_plan *plan, const cpu_set_t *ours)
{
    int first = -1, last = -1;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, ours)) {
            first = first < 0 ? i : first;
            last = i;
        }
    if (first == last)
        return;
    plan->generator = (struct processors){.list = {first}, .count = 1};
    plan->server = (struct processors){.list = {last}, .count = 1};
}

static int read_processors(struct compare_plan *plan, const struct arguments *arguments)
{
    const char *text = arguments_value(arguments, "processors"), *rest;
    cpu_set_t ours;
    CPU_ZERO(&ours);
    if (sched_getaffinity(0, sizeof ours, &ours) < 0)
        return text ? complain_call(arguments->subcommand, "sched_getaffinity", "--processors") : 0;
    if (!text) {
        share_processors(plan, &ours);
        return 0;
    }
    rest = take_range(text, &plan->server);
    rest = rest && *rest == ',' ? take_range(rest + 1, &plan->generator) : NULL;
    if (!rest || *rest)
        return complain(arguments->subcommand,
                        "--processors %s: say the servers' and the generator's, as in 0,1 or 0-3,4-7", text);
    int status = check_processors(arguments, &plan->server, &ours);
    return status ? status : check_processors(arguments, &plan->generator, &ours);
}

/* ---- numbers ---- */

static int read_number(const struct arguments *arguments, const char *name, unsigned least, unsigned most,
                       unsigned otherwise, unsigned *number)
{
    int64_t value = arguments_count(arguments, name, otherwise);
    *number = (unsigned)value;
    return value >= least && value <= most
               ? 0
               : complain(arguments->subcommand, "--%s: from %u to %u, please", name, least, most);
}

static int read_size(struct compare_plan *plan, const struct arguments *arguments)
{
    const char *text = arguments_value(arguments, "size");
    uint64_t size = 64;
    if (text && parse_size(text, &size))
        return complain(arguments->subcommand, "--size: %s", parley_error());
    plan->size = (size_t)size;
    return size >= 1 && size <= MOST_SIZE
               ? 0
               : complain(arguments->subcommand, "--size: from 1 byte to 64MiB, please");
}

static int read_numbers(struct compare_plan *plan, const struct arguments *arguments)
{
    int status = read_number(arguments, "rounds", 1, MOST_ROUNDS, 3, &plan->rounds);
    status = status ? status : read_number(arguments, "depth", 1, MOST_DEPTH, 1, &plan->depth);
    status = status ? status : read_number(arguments, "workers", 0, MOST_WORKERS, 0, &plan->workers);
    status = status ? status : read_size(plan, arguments);
    plan->duration = arguments_time(arguments, "duration", 2000);
    if (status == 0 && plan->duration <= 0)
        return complain(arguments->subcommand, "--duration: more than nothing, please");
    return status;
}

int read_compare_plan(struct compare_plan *plan, const struct arguments *arguments)
{
    *plan = (struct compare_plan){.load = load_run};
    int status = read_numbers(plan, arguments);
    status = status ? status : read_workloads(plan, arguments);
    return status ? status : read_processors(plan, arguments);
}

/* ---- candidates ---- */

static int add_model(struct comparison *comparison, const struct arguments *arguments, const char *name)
{
    const char *names = model_group.options[0].choices;
    const char *nearest = nearest_name(name, names);
    int status = comparison_add_model(comparison, name);
    if (status == PARLEY_USAGE && nearest)
        return complain(arguments->subcommand, "--models: there is no model %s; did you mean %s?", name,
                        nearest);
    if (status)
        return complain(arguments->subcommand, "--models: %s", parley_error());
    return 0;
}

/* Those with both halves. */
static int add_every_model(struct comparison *comparison, const struct arguments *arguments)
{
    const char *names = model_group.options[0].choices;
    for (size_t length; *names; names += length + strspn(names + length, " ")) {
        char name[PART];
        length = strcspn(names, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        if (strchr(name, '+') && add_model(comparison, arguments, name))
            return EXIT_USAGE;
    }
    return 0;
}

static int add_models(struct comparison *comparison, const struct arguments *arguments)
{
    const char *list = arguments_value(arguments, "models");
    char part[PART];
    if (!list || strcmp(list, "all") == 0)
        return add_every_model(comparison, arguments);
    for (int status; list;) {
        list = next_part(list, part);
        if ((status = add_model(comparison, arguments, part)) != 0)
            return status;
    }
    return 0;
}

int read_candidates(struct comparison *comparison, const struct arguments *arguments)
{
    int status = add_models(comparison, arguments);
    for (size_t i = 0; i < arguments->given_count && status == 0; i++)
        if (strcmp(arguments->given[i].option->name, "peer") == 0 &&
            comparison_add_peer(comparison, arguments->given[i].value))
            status = complain(arguments->subcommand, "%s", parley_error());
    return status;
}
