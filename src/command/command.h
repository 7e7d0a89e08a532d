/* What the files of the command share: the subcommands and how they complain. */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <parley.h>
#include <stdio.h>

#include "command/option.h"

/* Exit codes, the same in every subcommand. */
enum {
    EXIT_DONE = 0,
    EXIT_NETWORK = 1, /* the network or the peer */
    EXIT_USAGE = 2,   /* usage or a local fault */
    EXIT_CHECK = 3,   /* an assertion, threshold or integrity check failed */
    EXIT_TIMEOUT = 4, /* timed out */
    EXIT_UNREAD = 141 /* nobody reads standard output any more: as of who is killed by SIGPIPE, which is 13 */
};

/* "parley SUBCOMMAND: SENTENCE" on stderr in one line. Returns EXIT_USAGE. */
int complain(const struct subcommand *subcommand, const char *format, ...) PARLEY_PRINTF(2, 3);
/* The same about a system call that failed, with errno's reason: "write standard output: broken pipe". */
int complain_call(const struct subcommand *subcommand, const char *call, const char *name);
/* The same with the sentence of parley_error(). Returns parley_exit_code(status). */
int complain_failure(const struct subcommand *subcommand, int status);

/* For who has more to do than to write to standard output: its reader may leave. unread.c. */
void ignore_broken_pipes(void);
/* A write to standard output has failed, with errno: a complaint, and EXIT_USAGE. A reader that has gone has
 * seen enough: EXIT_UNREAD, and not a word. */
int complain_unwritten(const struct subcommand *subcommand);
/* Of two exit codes the one to be told: any failure before EXIT_UNREAD, and that before 0. */
int worse_of(int one, int other);

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

/* TLS, of those who listen and those who connect: option_tls.c. */
extern const struct option_group tls_serving_group, tls_dialling_group, tls_version_group, tls_loading_group;
/* The groups of options that several subcommands take: option_group.c. */
extern const struct option_group address_group, announce_group, socket_group, time_group, model_group,
    explain_group, log_group, general_group;
/* Who may come, how many, and what each may take: option_limit.c. */
extern const struct option_group access_group, crowd_group, limit_group, framing_group;
/* What a server gives up: option_group.c. */
extern const struct option_group privilege_group;
/* Those of connect and listen: option_talk.c. */
extern const struct option_group dial_group, send_group, talk_group, talk_model_group, keep_group;
/* Those of the PROXY protocol: option_proxy.c. */
extern const struct option_group proxy_group, proxy_send_group, proxy_forward_group;
/* Those of load: option_load.c. */
extern const struct option_group load_target_group, load_shape_group, load_message_group, load_verdict_group,
    load_search_group, load_report_group, load_live_group;
/* Those of compare: option_compare.c. */
extern const struct option_group contest_group, workload_group, outcome_group;

#endif
