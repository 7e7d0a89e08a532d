/* The outputs of a load's result: every form that was asked for, and the exit code. */
#include "command/load.h"
#include "command/result_file.h"
#include "load/condition.h"
#include "load/find_rate.h"
#include "report/json.h"
#include "report/page.h"
#include "report/table.h"
#include <signal.h>
#include <string.h>

/* ---- the forms ---- */

static int write_hgrm(const struct load_result *result, FILE *out)
{
    return histogram_print_hgrm(&result->response, out);
}

/* Without the warm-up: some readers of the format take no time below 0. */
static int write_hdr_log(const struct load_result *result, FILE *out)
{
    int status = histogram_log_begin(out, result->since);
    for (size_t i = 0; i < result->interval_count && status == 0; i++) {
        const struct load_interval *interval = &result->intervals[i];
        if (interval->start >= 0)
            status = histogram_log_line(out, interval->start, interval->length, &interval->response);
    }
    return status;
}

static const struct form {
    const char *name; /* of its option */
    int (*write)(const struct load_result *result, FILE *out);
} forms[] = {{"json", load_json_write},
             {"csv", load_csv_print},
             {"hgrm", write_hgrm},
             {"hdr-log", write_hdr_log},
             {"report", load_page_write}};

enum { FORMS = sizeof forms / sizeof *forms };

static int write_form(const struct arguments *arguments, const struct form *form, const char *path,
                      const struct load_result *result)
{
    struct result_file file;
    int code = result_file_open(&file, arguments);
    if (code)
        return code;
    bool is_whole = form->write(result, file.out) == 0;
    return result_file_close(&file, arguments, path, is_whole);
}

static bool takes_stdout(const struct arguments *arguments)
{
    const char *intervals = arguments_value(arguments, "intervals");
    bool taken = intervals && is_stdout(intervals);
    for (int i = 0; i < FORMS; i++) {
        const char *path = arguments_value(arguments, forms[i].name);
        taken = taken || (path && is_stdout(path));
    }
    return taken;
}

static int write_table(const struct arguments *arguments, const struct load_result *result)
{
    if (arguments_given(arguments, "quiet") || takes_stdout(arguments))
        return 0;
    if (load_table_print(result, stdout) == 0 && fflush(stdout) == 0)
        return 0;
    return complain_unwritten(arguments->subcommand);
}

static int write_forms(const struct arguments *arguments, const struct load_result *result)
{
    int worst = write_table(arguments, result);
    for (int i = 0; i < FORMS; i++) {
        const char *path = arguments_value(arguments, forms[i].name);
        worst = worse_of(worst, path ? write_form(arguments, &forms[i], path, result) : 0);
    }
    return worst;
}

/* ---- the verdict ---- */

static bool is_condition(const struct given *given)
{
    return strcmp(given->option->name, "fail-if") == 0;
}

static bool is_promise(const struct given *given)
{
    return strcmp(given->option->name, "find-rate") == 0;
}

static int check_condition(const struct arguments *arguments, const struct given *given)
{
    struct condition condition;
    if (condition_parse(&condition, given->value) < 0)
        return complain_failure(arguments->subcommand, PARLEY_USAGE);
    if (is_promise(given) && (condition.comparison == ABOVE || condition.comparison == AT_LEAST))
        return complain(arguments->subcommand,
                        "--find-rate %s: what would be kept by the slowest server is no "
                        "promise; one has a limit above, such as p99<5ms",
                        given->value);
    return 0;
}

static int check_paths(const struct arguments *arguments)
{
    int code = 0;
    for (int i = 0; i < FORMS && code == 0; i++)
        code = result_file_check(arguments, forms[i].name);
    return code;
}

int load_output_check(const struct arguments *arguments)
{
    int stdouts = 0, promises = 0, code = 0;
    ignore_signal(SIGXFSZ);
    for (size_t i = 0; i < arguments->given_count && code == 0; i++) {
        const struct given *given = &arguments->given[i];
        if (is_condition(given) || is_promise(given))
            code = check_condition(arguments, given);
        promises += is_promise(given);
        stdouts += given->option->kind == OPTION_PATH && is_stdout(given->value);
    }
    if (code)
        return code;
    if (promises > MOST_PROMISES)
        return complain(arguments->subcommand, "--find-rate takes %d promises at most", MOST_PROMISES);
    return stdouts > 1 ? complain(arguments->subcommand, ONLY_ONE_STDOUT) : check_paths(arguments);
}

/* Every condition is looked at, so that all reasons are told. */
static int judge_conditions(const struct arguments *arguments, const struct load_result *result)
{
    int code = 0;
    for (size_t i = 0; i < arguments->given_count; i++) {
        struct condition condition;
        char why[256];
        if (!is_condition(&arguments->given[i]) ||
            condition_parse(&condition, arguments->given[i].value) < 0 ||
            !condition_holds(&condition, result, why, sizeof why))
            continue;
        complain(arguments->subcommand, "%s", why);
        code = EXIT_CHECK;
    }
    return code;
}

/* Errors are part of a result, but a server that never answers is none. */
static int complain_unanswered(const struct arguments *arguments, const struct load_result *result)
{
    complain(arguments->subcommand, "not one request was answered: %s", load_first_error(result));
    if (result->bytes_in > 0 && result->faults[FAULT_MISMATCH].count == 0)
        complain(arguments->subcommand,
                 "%llu bytes came, and made no reply: --reply-size, --expect-framing and --expect-end say "
                 "what one is",
                 (unsigned long long)result->bytes_in);
    return EXIT_NETWORK;
}

static int judge(const struct arguments *arguments, const struct load_result *result)
{
    bool answered = result->requests + result->replies_late > 0 || load_errors(result) == 0;
    int code = answered || result->interrupted ? 0 : complain_unanswered(arguments, result);
    int failed = judge_conditions(arguments, result);
    code = failed ? failed : code;
    if (*result->search.promise && result->search.found == 0 && !result->interrupted) {
        complain(arguments->subcommand, "%s", result->search.sentence);
        return EXIT_CHECK;
    }
    if (!result->valid) {
        complain(arguments->subcommand, "INVALID: %s", result->invalid);
        code = EXIT_CHECK;
    }
    if (arguments_given(arguments, "verify") && result->faults[FAULT_MISMATCH].count > 0)
        code = EXIT_CHECK;
    return code;
}

int load_output(const struct arguments *arguments, const struct load_result *result)
{
    ignore_signal(SIGPIPE); /* there may be files to write */
    int written = write_forms(arguments, result);
    int code = judge(arguments, result);
    return written == 0 || written == EXIT_UNREAD ? worse_of(code, written) : written;
}
