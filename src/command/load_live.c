/* What is told while a load runs: a line on the terminal, and an object for each second. */
#include "command/load.h"
#include "command/result_file.h"
#include "report/json.h"
#include "report/table.h"
#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* After a line that was cut there is none. */
static void write_interval(struct load_live *live, const struct load_interval *interval)
{
    if (live->error)
        return;
    errno = 0;
    load_json_write_interval(interval, live->intervals);
    if (fflush(live->intervals) != 0 || ferror(live->intervals))
        live->error = errno ? errno : EIO;
}

/* Who reads the intervals may leave when it has seen enough: that ends the run, and its report is written. */
static int second(void *context, const struct load_result *so_far, const struct load_interval *interval)
{
    struct load_live *live = context;
    if (live->line)
        live_print(stderr, so_far, interval, live->total);
    if (live->intervals)
        write_interval(live, interval);
    return live->error == EPIPE ? SIGPIPE : 0;
}

/* Read while it grows, so under its name from the first line on. */
static FILE *open_intervals(const struct arguments *arguments, const char *path)
{
    FILE *file = is_stdout(path) ? stdout : fopen(path, "we");
    if (!file)
        complain_call(arguments->subcommand, "open", path);
    return file;
}

int load_live_open(struct load_live *live, const struct arguments *arguments, struct load_plan *plan)
{
    const char *path = arguments_value(arguments, "intervals");
    *live = (struct load_live){.total = (double)plan->duration / 1000};
    live->line = isatty(STDERR_FILENO) && !arguments_given(arguments, "quiet");
    if (path)
        live->intervals = open_intervals(arguments, path);
    if (path && !live->intervals)
        return EXIT_USAGE;
    if (path)
        ignore_signal(SIGPIPE);
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
    if (live->intervals != stdout && fclose(live->intervals) != 0 && !live->error)
        live->error = errno;
    errno = live->error;
    if (errno && live->intervals == stdout)
        return complain_unwritten(arguments->subcommand);
    return errno ? complain_call(arguments->subcommand, "write", arguments_value(arguments, "intervals")) : 0;
}
