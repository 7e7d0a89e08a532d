/* parley load ADDRESS: loads a server, and tells how it did. */
#include "command/load.h"
#include <string.h>

static int run_and_tell(const struct arguments *arguments, struct load_order *order,
                        struct load_result *result)
{
    struct load_live live;
    int code = load_live_open(&live, arguments, &order->plan);
    if (code)
        return code;
    int status = load_run(&order->plan, result);
    code = load_live_close(&live, arguments);
    if (status < 0)
        return complain_failure(arguments->subcommand, status);
    int outcome = load_output(arguments, result);
    return outcome ? outcome : code;
}

int load_main(const struct arguments *arguments)
{
    struct load_order order;
    struct load_result result;
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
