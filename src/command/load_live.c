/* What is told while a load runs: a line on the terminal, and an object for each second. */
#include "command/load.h"
#include "command/result_file.h"
#include "report/json.h"
#include "report/table.h"
#include <unistd.h>

static void second(void *context, const struct load_result *so_far, const struct load_interval *interval)
{
    const struct load_live *live = context;
    if (live->line)
        live_print(stderr, so_far, interval, live->total);
    if (live->intervals) {
        load_json_write_interval(interval, live->intervals);
        fflush(live->intervals);
    }
}

int load_live_open(struct load_live *live, const struct arguments *arguments, struct load_plan *plan)
{
    const char *path = arguments_value(arguments, "intervals");
    *live = (struct load_live){.total = (double)plan->duration / 1000};
    live->line = isatty(STDERR_FILENO) && !arguments_given(arguments, "quiet");
    if (path)
        live->intervals = result_file_open(arguments, path);
    if (path && !live->intervals)
        return EXIT_USAGE;
    plan->second = second;
    plan->context = live;
    return 0;
}

int load_live_close(struct load_live *live, const struct arguments *arguments)
{
    if (live->line)
        live_clear(stderr);
    if (!live->intervals)
        return 0;
    return result_file_close(arguments, arguments_value(arguments, "intervals"), live->intervals);
}
