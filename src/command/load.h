/* What the files of `parley load` share: the plan from the options, and the outputs of a result. */
#ifndef COMMAND_LOAD_H
#define COMMAND_LOAD_H

#include "command/command.h"
#include "load/result.h"

/* ---- load_plan.c ---- */

struct load_order {
    struct load_plan plan;
    char *address, *command_line;
    unsigned char *message; /* what plan.message points to */
    char **sources;
    size_t source_count;
    struct load_setting *settings;
};

/* The plan that the options describe: 0, or the exit code after a complaint. Free it either way. */
int load_order_read(struct load_order *order, const struct arguments *arguments);
void load_order_free(struct load_order *order);

/* ---- load_source.c ---- */

/* Adds an address, or each of a range "127.0.0.2-127.0.0.9": 0, or the exit code after a complaint. */
int load_sources_add(struct load_order *order, const struct arguments *arguments, const char *text);

/* ---- load_output.c ---- */

/* Whether the outputs that were asked for can be written, and the conditions read, before hours are spent: 0,
 * or the exit code after a complaint. */
int load_output_check(const struct arguments *arguments);
/* Writes what was asked for, in every form, and gives the exit code: of the result, of --fail-if, or of what
 * could not be written. */
int load_output(const struct arguments *arguments, const struct load_result *result);

/* ---- load_merge.c ---- */

/* parley load merge FILE...: one result from those that --json wrote. Returns the exit code. */
int load_merge_main(const struct arguments *arguments);

/* ---- load_live.c ---- */

/* The live line, and --intervals: struct load_plan's `second` and its context. */
struct load_live {
    FILE *intervals; /* NULL: none */
    int error;       /* errno of the first line of it that could not be written */
    bool line;
    double total; /* s */
};
int load_live_open(struct load_live *live, const struct arguments *arguments, struct load_plan *plan);
/* 0, or the exit code after a complaint: the intervals could not all be written. */
int load_live_close(struct load_live *live, const struct arguments *arguments);

/* ---- unescape.c ---- */

/* The bytes that a text with \n, \r, \t, \0, \\ and \xHH stands for: allocated; NULL after a complaint that
 * names what is wrong with `option`'s value. */
unsigned char *unescape(const struct subcommand *subcommand, const char *option, const char *text,
                        size_t *size);

#endif
