/* The options of compare. */
#include "option/groups.h"

static const struct option contest_options[] = {
    {.name = "models",
     .argument = "LIST",
     .help = "the designs, separated by commas, each PLACEMENT+POLLER or either half; by default all 25"},
    {.name = "peer",
     .argument = "NAME=COMMAND",
     .help = "one more server, which listens on {port} of 127.0.0.1; split as a shell would, but run without "
             "one; may be repeated"},
    {.name = "workers",
     .argument = "N",
     .kind = OPTION_COUNT,
     .help = "workers of prefork and prethread; 0, the default: as many as processors they may use"},
    {.name = "processors",
     .argument = "S,G",
     .help = "the processors of the servers and of the generator, each a number or a range: 0-3,4-7; by "
             "default one each where there are two"},
    {0},
};
const struct option_group contest_group = {.title = "Servers", .options = contest_options};

static const struct option workload_options[] = {
    {.name = "connections",
     .letter = 'c',
     .argument = "LIST",
     .help = "the numbers of connections to measure with, separated by commas; 1,50,1000"},
    {.name = "duration",
     .letter = 'd',
     .argument = "TIME",
     .kind = OPTION_TIME,
     .help = "of each measurement, a warm-up aside; 2s"},
    {.name = "rounds", .argument = "N", .kind = OPTION_COUNT, .help = "measurements of each, in turn; 3"},
    {.name = "size", .argument = "SIZE", .help = "of a message; 64"},
    {.name = "depth",
     .argument = "N",
     .kind = OPTION_COUNT,
     .help = "messages under way on a connection at the same time; 1"},
    {0},
};
const struct option_group workload_group = {.title = "Load", .options = workload_options};

static const struct option outcome_options[] = {
    {.name = "json",
     .argument = "FILE",
     .kind = OPTION_PATH,
     .help = "writes everything as JSON; - is standard output, instead of the tables: so for the others"},
    {.name = "csv",
     .argument = "FILE",
     .kind = OPTION_PATH,
     .help = "writes a row for each server and each number of connections"},
    {.name = "report",
     .argument = "FILE",
     .kind = OPTION_PATH,
     .help = "writes one page of HTML with charts, which needs nothing beside it"},
    {0},
};
const struct option_group outcome_group = {.title = "Results", .options = outcome_options};
