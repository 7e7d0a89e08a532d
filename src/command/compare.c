/* parley compare SERVICE: its models, and peers, measured against each other. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/compare_plan.h"
#include "command/suggest.h"
#include "compare/report.h"
#include "engine/error.h"
#include "witness/proc.h"
#include "service/service.h"

/* ---- progress ---- */

static void show_progress(void *context, const struct comparison *comparison,
                          const struct candidate *candidate, const struct workload *workload, size_t step,
                          size_t steps)
{
    char text[WORDING];
    (void)context, (void)comparison;
    fprintf(stderr, "\r\x1b[K%zu of %zu: %s, %s", step + 1, steps, candidate->name,
            workload ? workload_text(workload, text) : "its memory");
    fflush(stderr);
}

static int run(struct comparison *comparison, const struct arguments *arguments)
{
    bool shows = isatty(STDERR_FILENO);
    int status = comparison_run(comparison, shows ? show_progress : NULL, NULL);
    if (shows)
        fputs("\r\x1b[K", stderr);
    return status ? complain_failure(arguments->subcommand, status) : 0;
}

/* ---- results ---- */

struct output {
    const char *option;
    int (*write)(const struct comparison *comparison, FILE *out);
    FILE *file; /* NULL: not asked for */
};

enum { OUTPUTS = 3 };

static int open_output(struct output *output, const struct arguments *arguments)
{
    const char *path = arguments_value(arguments, output->option);
    if (!path)
        return 0;
    output->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    return output->file ? 0 : complain_call(arguments->subcommand, "open", path);
}

/* Before anything is measured: minutes later would be too late to learn that one cannot be written. */
static int open_outputs(struct output outputs[OUTPUTS], const struct arguments *arguments)
{
    int status = 0;
    for (size_t i = 0; i < OUTPUTS && status == 0; i++)
        status = open_output(&outputs[i], arguments);
    return status;
}

static bool takes_stdout(const struct output outputs[OUTPUTS])
{
    for (size_t i = 0; i < OUTPUTS; i++)
        if (outputs[i].file == stdout)
            return true;
    return false;
}

static int write_outputs(struct output outputs[OUTPUTS], const struct comparison *comparison,
                         const struct arguments *arguments)
{
    int status = 0;
    if (!takes_stdout(outputs) && compare_table_print(comparison, stdout) < 0)
        status = complain_call(arguments->subcommand, "write", "standard output");
    for (size_t i = 0; i < OUTPUTS; i++) {
        int written = outputs[i].file ? outputs[i].write(comparison, outputs[i].file) : 0;
        if (written)
            status = complain_failure(arguments->subcommand, written);
    }
    return status;
}

static int close_outputs(struct output outputs[OUTPUTS], const struct arguments *arguments)
{
    int status = 0;
    for (size_t i = 0; i < OUTPUTS; i++)
        if (outputs[i].file && outputs[i].file != stdout && fclose(outputs[i].file) != 0)
            status =
                complain_call(arguments->subcommand, "write", arguments_value(arguments, outputs[i].option));
    return status;
}

/* ---- the whole ---- */

static int compare(struct comparison *comparison, const struct arguments *arguments)
{
    struct output outputs[OUTPUTS] = {{"json", compare_json_write, NULL},
                                      {"csv", compare_csv_write, NULL},
                                      {"report", compare_page_write, NULL}};
    int status = open_outputs(outputs, arguments);
    status = status ? status : run(comparison, arguments);
    status = status ? status : write_outputs(outputs, comparison, arguments);
    int closed = close_outputs(outputs, arguments);
    status = status ? status : closed;
    if (status)
        return status;
    if (comparison->interrupted)
        return 128 + comparison->interrupted;
    return comparison_failed(comparison) ? EXIT_NETWORK : EXIT_DONE;
}

static int complain_no_service(const struct arguments *arguments, const char *name)
{
    struct nearest nearest = {.word = name};
    for (const struct service *service = services; service->handler; service++)
        nearest_consider(&nearest, service->handler->name);
    if (nearest.name)
        return complain(arguments->subcommand, "there is no service %s; did you mean %s?", name,
                        nearest.name);
    return complain(arguments->subcommand, "there is no service %s; parley help compare lists them", name);
}

static int choose_exchange(struct compare_plan *plan, const struct arguments *arguments)
{
    const char *name = arguments->operands[0];
    if (!name)
        return complain(arguments->subcommand, "which service? parley compare echo, for instance");
    if (arguments->operand_count > 1)
        return complain(arguments->subcommand, "one service, please: %s and %s are two", name,
                        arguments->operands[1]);
    plan->exchange = exchange_of(name);
    if (!plan->exchange)
        return complain_no_service(arguments, name);
    if (plan->exchange->refusal)
        return complain(arguments->subcommand, "%s cannot be compared: %s", name, plan->exchange->refusal);
    return 0;
}

/* As it was typed, but for quotes. */
static void read_command_line(char *text, size_t room)
{
    ssize_t length = proc_text(text, room, "/proc/self/cmdline");
    for (ssize_t i = 0; i + 1 < length; i++)
        if (!text[i])
            text[i] = ' ';
}

int compare_run(const struct arguments *arguments)
{
    const char *models = arguments_value(arguments, "models");
    struct compare_plan plan;
    struct comparison comparison = {.plan = &plan};
    char command_line[2048] = "";
    int status = read_compare_plan(&plan, arguments);
    read_command_line(command_line, sizeof command_line);
    plan.command_line = command_line;
    plan.may_refuse = !models || strcmp(models, "all") == 0;
    status = status ? status : choose_exchange(&plan, arguments);
    status = status ? status : read_candidates(&comparison, arguments);
    status = status ? status : compare(&comparison, arguments);
    comparison_close(&comparison);
    return status;
}
