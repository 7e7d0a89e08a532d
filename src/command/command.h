/* What the files of the command share: the subcommands, and what they print of themselves. */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <parley.h>
#include <stdio.h>

#include "option/complain.h"
#include "option/groups.h"

int serve_run(const struct arguments *arguments);
int listen_run(const struct arguments *arguments);
int connect_run(const struct arguments *arguments);
int load_main(const struct arguments *arguments);
int compare_run(const struct arguments *arguments);
/* The services that can be compared: the `word` of its table. */
const char *compare_word(size_t index, const char **help);
int help_run(const struct arguments *arguments);
int version_run(const struct arguments *arguments);
int completion_run(const struct arguments *arguments);

/* Every subcommand; the last has no name. */
extern const struct subcommand subcommands[];
/* NULL when there is none of that name. */
const struct subcommand *subcommand_named(const char *name);
/* With the nearest, where one is near. */
int complain_no_subcommand(const struct subcommand *asked, const char *name);

/* Tells where the server listens as the options ask: --print-port each port on stdout, --ready-fd each
 * address on that descriptor, which is then closed. 0 or a parley_status. */
int announce_listeners(const struct arguments *arguments, const parley_server *server);

/* The options under their headings, as `parley help SUBCOMMAND` shows them. */
void print_help(FILE *out, const struct subcommand *subcommand);
/* The subcommands, as `parley help` shows them. */
void print_summary(FILE *out);
/* The shells that there are completions for: the word of struct subcommand. */
const char *shell_word(size_t index, const char **help);
/* Whether this group is not the continuation of the one before, which has the same title. */
bool begins_heading(const struct subcommand *subcommand, const struct option_group *const *group);
/* The option section of its manual page, in scdoc. */
void print_manual(FILE *out, const struct subcommand *subcommand);

#endif
