#include <string.h>

#include "command/command.h"
#include "option/suggest.h"
#include "service/service.h"

static const struct option listen_options[] = {
    {.name = "listen",
     .argument = "ADDRESS",
     .help =
         "one more address to listen on; may be repeated. Behind it, as behind each address, limits of its "
         "own may stand: '127.0.0.1:8080 connections=100 idle=30s'"},
    {.name = "passive", .letter = 'l', .kind = OPTION_ACCEPTED, .help = "listens; always so"},
    {.name = "keep", .letter = 'k', .kind = OPTION_ACCEPTED, .help = "serves client after client; always so"},
    {0},
};
static const struct option_group listen_group = {.title = "Listening", .options = listen_options};

static const struct option worker_options[] = {
    {.name = "workers",
     .argument = "N",
     .setting = "workers",
     .help = "workers of prefork and prethread; 1 is a single loop; 0, the default: as many as processors"},
    {.name = "reuseport",
     .setting = "reuseport",
     .help = "gives each worker a listening socket of its own (SO_REUSEPORT)"},
    {0},
};
static const struct option_group worker_group = {.title = "Design", .options = worker_options};

static const struct option quiet_options[] = {
    {.name = "quiet",
     .letter = 'q',
     .setting = "verbosity",
     .value = "0",
     .help = "tells only failures, the start and the stop"},
    {0},
};
static const struct option_group quiet_group = {.title = "Log", .options = quiet_options};

static const struct option_group *const serve_groups[] = {
    &address_group,       &listen_group, &announce_group,    &model_group,       &worker_group,
    &explain_group,       &proxy_group,  &tls_serving_group, &tls_version_group, &access_group,
    &crowd_group,         &limit_group,  &framing_group,     &time_group,        &socket_group,
    &privilege_group,     &echo_group,   &greet_group,       &exec_group,        &relay_group,
    &proxy_forward_group, &log_group,    &quiet_group,       &general_group,     NULL};
static const struct option_group *const listen_groups[] = {
    &address_group, &keep_group,  &announce_group,    &talk_group,        &talk_model_group,
    &explain_group, &proxy_group, &tls_serving_group, &tls_version_group, &access_group,
    &limit_group,   &time_group,  &socket_group,      &privilege_group,   &log_group,
    &general_group, NULL};
static const struct option_group *const connect_groups[] = {
    &address_group,    &dial_group, &tls_dialling_group, &tls_version_group,
    &proxy_send_group, &send_group, &talk_group,         &talk_model_group,
    &explain_group,    &time_group, &socket_group,       &log_group,
    &general_group,    NULL};

static const struct option_group *const load_groups[] = {&load_target_group,
                                                         &tls_dialling_group,
                                                         &tls_version_group,
                                                         &tls_loading_group,
                                                         &load_shape_group,
                                                         &load_message_group,
                                                         &proxy_send_group,
                                                         &load_verdict_group,
                                                         &load_search_group,
                                                         &load_live_group,
                                                         &load_report_group,
                                                         &general_group,
                                                         NULL};

static const struct option_group *const compare_groups[] = {&contest_group, &workload_group, &outcome_group,
                                                            &general_group, NULL};

static const struct option manual_options[] = {
    {.name = "man", .help = "prints the options as the manual page has them, in scdoc"},
    {0},
};
static const struct option_group manual_group = {.title = "Form", .options = manual_options};
static const struct option_group *const help_groups[] = {&manual_group, &general_group, NULL};
static const struct option_group *const plain_groups[] = {&general_group, NULL};

static const char *subcommand_word(size_t index, const char **help)
{
    *help = subcommands[index].purpose;
    return subcommands[index].name;
}

const struct subcommand subcommands[] = {
    {.name = "serve",
     .operands = "SERVICE [ADDRESS...] [-- PROGRAM ARGS...]",
     .run = serve_run,
     .groups = serve_groups,
     .word = service_word,
     .purpose = "serves one of the built-in services under any server design",
     .examples = "parley serve echo 3000\n"
                 "parley serve upper 9990 --model iterative --explain\n"
                 "parley serve hangup 127.0.0.1 8000 --backlog 5\n"
                 "parley serve greet -p 8900 --message 'Hello!'\n"
                 "parley serve echo 3000 [::1]:4000 unix:/run/echo --workers 1\n"
                 "parley serve exec 3000 --max-children 20 -- sort -n\n"

                 "parley serve relay 3000 --to 127.0.0.1:5432\n"},
    {.name = "listen",
     .operands = "[ADDRESS]",
     .run = listen_run,
     .groups = listen_groups,
     .purpose = "waits for a client and talks to it from here",
     .examples = "parley listen 7772\n"
                 "parley listen -k 127.0.0.1 7772 --dump\n"},
    {.name = "connect",
     .operands = "[ADDRESS]",
     .run = connect_run,
     .groups = connect_groups,
     .purpose = "connects to a server and talks to it from here",
     .examples = "parley connect 127.0.0.1 3000 --send helloworld\n"
                 "parley connect 127.0.0.1 9990 --prompt '> ' --until END\n"
                 "parley connect -p 8900 -d localhost --send hello\n"
                 "parley connect 127.0.0.1 5000 --send 'hello, server... %d' --every 1s --count 10\n"
                 "parley connect -z localhost 22\n"},
    {.name = "load",
     .operands = "ADDRESS | merge FILE...",
     .run = load_main,
     .groups = load_groups,
     .purpose = "loads a server and measures its replies",
     .examples = "parley load 127.0.0.1 3000 -c 50 -d 10s\n"
                 "parley load 127.0.0.1 3000 -c 100 -R 20k --report load.html\n"
                 "parley load 127.0.0.1 3000 -c 50 --depth 32 --size 64 --verify\n"
                 "parley load 127.0.0.1 3000 --churn -c 20 --json -\n"
                 "parley load 127.0.0.1 3000 -c 50 --find-rate 'p99<5ms' -d 2s\n"
                 "parley load merge a.json b.json --report both.html\n"},
    {.name = "compare",
     .operands = "SERVICE",
     .run = compare_run,
     .groups = compare_groups,
     .word = compare_word,
     .purpose = "measures the designs of a service, and other servers, against each other",
     .examples = "parley compare echo\n"
                 "parley compare echo --models iterative,fork,thread -c 1\n"
                 "parley compare echo -c 50 -d 5s --rounds 5 --report echo.html\n"
                 "parley compare echo --models prethread+epoll --peer 'ncat=ncat -lk -e /bin/cat {port}'\n"},
    {.name = "help",
     .operands = "[SUBCOMMAND]",
     .run = help_run,
     .groups = help_groups,
     .word = subcommand_word,
     .purpose = "tells what a subcommand does and its options"},
    {.name = "version",
     .operands = "",
     .run = version_run,
     .groups = plain_groups,
     .purpose = "prints the version"},
    {.name = "completion",
     .operands = "SHELL",
     .run = completion_run,
     .groups = plain_groups,
     .word = shell_word,
     .purpose = "prints the completion for a shell",
     .examples = "source <(parley completion bash)\n"},
    {0},
};

const struct subcommand *subcommand_named(const char *name)
{
    for (const struct subcommand *subcommand = subcommands; subcommand->name; subcommand++)
        if (strcmp(subcommand->name, name) == 0)
            return subcommand;
    return NULL;
}

int complain_no_subcommand(const struct subcommand *asked, const char *name)
{
    struct nearest nearest = {.word = name};

    for (const struct subcommand *subcommand = subcommands; subcommand->name; subcommand++)
        nearest_consider(&nearest, subcommand->name);
    if (nearest.name)
        return complain(asked, "there is no subcommand %s; did you mean parley %s?", name, nearest.name);
    return complain(asked, "there is no subcommand %s; parley help lists them", name);
}
