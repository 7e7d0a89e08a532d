/* parley load ADDRESS: loads a server, and tells how it did. */
#include "command/load.h"
#include "load/find_rate.h"
#include "report/table.h"
#include "text/amount.h"
#include <string.h>

/* In the place of the live line. */
static void tell_trial(const struct load_trial *trial)
{
    live_clear(stderr);
    fprintf(stderr, "%-10s %s: %s\n", amount_rate(trial->rate).text, trial->kept ? "kept" : "broken",
            trial->what);
}

/* The promises were checked by load_output_check(). */
static int find_rate(const struct arguments *arguments, const struct load_plan *plan, bool tells,
                     struct load_result *result)
{
    struct condition promises[MOST_PROMISES];
    size_t count = 0;
    int status = 0;
    for (size_t i = 0; i < arguments->given_count && status == 0; i++)
        if (strcmp(arguments->given[i].option->name, "find-rate") == 0)
            status = condition_parse(&promises[count++], arguments->given[i].value);
    return status < 0 ? status : load_find_rate(plan, promises, count, result, tells ? tell_trial : NULL);
}

static int run_and_tell(const struct arguments *arguments, struct load_order *order,
                        struct load_result *result)
{
    struct load_live live;
    int code = load_live_open(&live, arguments, &order->plan);
    if (code)
        return code;
    bool searches = arguments_given(arguments, "find-rate");
    int status =
        searches ? find_rate(arguments, &order->plan, live.line, result) : load_run(&order->plan, result);
    code = load_live_close(&live, arguments);
    if (status < 0)
        return complain_failure(arguments->subcommand, status);
    int outcome = load_output(arguments, result);
    if (result->interrupted)
        return 128 + result->interrupted;
    return worse_of(outcome, code);
}

int load_main(const struct arguments *arguments)
{
    struct load_order order;
    struct load_result result;
    if (arguments->operand_count > 0 && strcmp(arguments->operands[0], "merge") == 0)
        return load_merge_main(arguments);
    int code = load_output_check(arguments);
    if (code)
        return code;
    code = load_order_read(&order, arguments);
    if (code == 0) {
        int status = load_result_open(&result);
        code = status < 0 ? complain_failure(arguments->subcommand, status)
                          : run_and_tell(arguments, &order, &result);
        load_result_close(&result);
    }
    load_order_free(&order);
    return code;
}
