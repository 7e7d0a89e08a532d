/* The files that load and compare write their results to, named by options; "-" is standard output. */
#ifndef COMMAND_RESULT_FILE_H
#define COMMAND_RESULT_FILE_H

#include "command/command.h"

#define ONLY_ONE_STDOUT "only one output can be - (stdout)"

bool is_stdout(const char *path);
/* Whether the file that an option names can be written, before hours are spent: 0, also without that option,
 * or the exit code after a complaint. What it holds stays until there is something new; where there was none,
 * none is left. */
int result_file_check(const struct arguments *arguments, const char *option);
/* NULL after a complaint. */
FILE *result_file_open(const struct arguments *arguments, const char *path);
/* 0, or the exit code after a complaint: it has not all been written. */
int result_file_close(const struct arguments *arguments, const char *path, FILE *file);

#endif
