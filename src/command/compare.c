/* parley compare SERVICE: its models, and peers, measured against each other. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "command/compare_plan.h"
#include "command/result_file.h"
#include "compare/report.h"
#include "option/suggest.h"
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

static const struct output {
    const char *option;
    int (*write)(const struct comparison *comparison, FILE *out);
} outputs[] = {{"json", compare_json_write}, {"csv", compare_csv_write}, {"report", compare_page_write}};

enum { OUTPUTS = sizeof outputs / sizeof *outputs };

/* How many go to standard output. */
static size_t stdouts(const struct arguments *arguments)
{
    size_t count = 0;
    for (size_t i = 0; i < OUTPUTS; i++) {
        const char *path = arguments_value(arguments, outputs[i].option);
        count += path && is_stdout(path);
    }
    return count;
}

/* Before anything is measured: minutes later would be too late to learn that one cannot be written. */
static int check_outputs(const struct arguments *arguments)
{
    int code = stdouts(arguments) > 1 ? complain(arguments->subcommand, ONLY_ONE_STDOUT) : 0;
    for (size_t i = 0; i < OUTPUTS && code == 0; i++)
        code = result_file_check(arguments, outputs[i].option);
    return code;
}

static int write_output(const struct output *output, const char *path, const struct comparison *comparison,
                        const struct arguments *arguments)
{
    struct result_file file;
    int code = result_file_open(&file, arguments);
    if (code)
        return code;
    bool is_whole = output->write(comparison, file.out) == 0;
    return result_file_close(&file, arguments, path, is_whole);
}

static int write_outputs(const struct comparison *comparison, const struct arguments *arguments)
{
    int worst = 0;
    ignore_signal(SIGXFSZ); /* not before: the servers are as they would be without us */
    ignore_signal(SIGPIPE);
    if (stdouts(arguments) == 0 && compare_table_print(comparison, stdout) < 0)
        worst = complain_unwritten(arguments->subcommand);
    for (size_t i = 0; i < OUTPUTS; i++) {
        const char *path = arguments_value(arguments, outputs[i].option);
        worst = worse_of(worst, path ? write_output(&outputs[i], path, comparison, arguments) : 0);
    }
    return worst;
}

/* ---- the whole ---- */

static int compare(struct comparison *comparison, const struct arguments *arguments)
{
    int status = check_outputs(arguments);
    status = status ? status : run(comparison, arguments);
    if (status)
        return status;
    status = write_outputs(comparison, arguments);
    if (comparison->interrupted && (status == 0 || status == EXIT_UNREAD))
        return 128 + comparison->interrupted;
    return worse_of(status, comparison_failed(comparison) ? EXIT_NETWORK : EXIT_DONE);
}

const char *compare_word(size_t index, const char **help)
{
    const char *name;
    for (size_t i = 0; (name = service_word(i, help)); i++) {
        const struct exchange *exchange = exchange_of(name);
        if (exchange && !exchange->refusal && index-- == 0)
            return name;
    }
    return NULL;
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

int compare_run(const struct arguments *arguments)
{
    const char *models = arguments_value(arguments, "models");
    struct compare_plan plan;
    struct comparison comparison = {.plan = &plan};
    int status = read_compare_plan(&plan, arguments);
    char *command_line = arguments_quoted(arguments);
    plan.command_line = command_line;
    plan.may_refuse = !models || strcmp(models, "all") == 0;
    status = status ? status : choose_exchange(&plan, arguments);
    status = status ? status : read_candidates(&comparison, arguments);
    status = status ? status : compare(&comparison, arguments);
    comparison_close(&comparison);
    free(command_line);
    return status;
}
