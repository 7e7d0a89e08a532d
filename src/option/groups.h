/* The options there are, in the groups that subcommands are made of. */
#ifndef OPTION_GROUPS_H
#define OPTION_GROUPS_H

#include "option/option.h"

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
