/* The files that load and compare write their results to, named by options; "-" is standard output. */
#ifndef COMMAND_RESULT_FILE_H
#define COMMAND_RESULT_FILE_H

#include "command/command.h"

#define ONLY_ONE_STDOUT "only one output can be - (stdout)"

/* A result is put into memory first: so its file is there whole or not at all, and what cannot be written is
 * told with the call and its reason, whoever formats it. */
struct result_file {
    FILE *out; /* to be written to */
    char *text;
    size_t size;
};

bool is_stdout(const char *path);
/* Whether the file that an option names can be written, before hours are spent: 0, also without that option,
 * or the exit code after a complaint. What it holds stays until there is something new; where there was none,
 * none is left. */
int result_file_check(const struct arguments *arguments, const char *option);
/* 0, or the exit code after a complaint. */
int result_file_open(struct result_file *file, const struct arguments *arguments);
/* Writes what was gathered to `path`, unless some of it is missing. 0, or the exit code after a complaint:
 * what stood under that name then still does. */
int result_file_close(struct result_file *file, const struct arguments *arguments, const char *path,
                      bool is_whole);

#endif
