/* parley load merge FILE...: one result from generators that ran on several machines at the same time. */
#include "load/merge.h"
#include "command/load.h"
#include "report/json.h"

/* What shapes a load has no meaning where none is made. */
static bool is_output(const struct option *option)
{
    static const struct option_group *const groups[] = {&load_verdict_group, &load_report_group};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct option *known = groups[i]->options; known->name; known++)
            if (known == option)
                return true;
    return false;
}

static int check(const struct arguments *arguments)
{
    for (size_t i = 0; i < arguments->given_count; i++)
        if (!is_output(arguments->given[i].option))
            return complain(arguments->subcommand, "merge makes no load: leave out --%s",
                            arguments->given[i].option->name);
    if (arguments->operand_count < 2)
        return complain(arguments->subcommand, "merge takes the files that --json wrote, as in parley load "
                                               "merge a.json b.json (a host of that name is merge:PORT)");
    return load_output_check(arguments);
}

static int merge_file(const struct arguments *arguments, const char *path, struct load_result *into)
{
    struct load_result result;
    int status = load_result_open(&result);
    if (status == 0)
        status = load_json_read(&result, path);
    int code = status < 0 ? complain_failure(arguments->subcommand, status) : 0;
    if (code == 0 && load_merge(into, &result) < 0)
        code = complain(arguments->subcommand, "%s: %s", path, parley_error());
    load_result_close(&result);
    return code;
}

static int merge_files(const struct arguments *arguments, struct load_result *into)
{
    int status = load_json_read(into, arguments->operands[1]);
    int code = status < 0 ? complain_failure(arguments->subcommand, status) : 0;
    for (size_t i = 2; i < arguments->operand_count && code == 0; i++)
        code = merge_file(arguments, arguments->operands[i], into);
    return code ? code : load_output(arguments, into);
}

int load_merge_main(const struct arguments *arguments)
{
    struct load_result result;
    int code = check(arguments);
    if (code)
        return code;
    int status = load_result_open(&result);
    code = status < 0 ? complain_failure(arguments->subcommand, status) : merge_files(arguments, &result);
    load_result_close(&result);
    return code;
}
