/* parley serve SERVICE [ADDRESS...]: a built-in service under any design. */
#include <signal.h>
#include <string.h>

#include "command/activation.h"
#include "command/command.h"
#include "command/confine.h"
#include "engine/server.h"
#include "exec/program.h"
#include "option/suggest.h"
#include "placement/placement.h"
#include "service/service.h"

static int complain_no_service(const struct arguments *arguments, const char *name)
{
    struct nearest nearest = {.word = name ? name : ""};
    char names[256] = "";

    for (const struct service *service = services; service->handler; service++) {
        const size_t length = strlen(names);

        nearest_consider(&nearest, service->handler->name);
        snprintf(names + length, sizeof names - length, "%s%s", length ? ", " : "", service->handler->name);
    }
    if (!name)
        return complain(arguments->subcommand, "which service? One of %s", names);
    if (nearest.name) {
        return complain(arguments->subcommand, "there is no service %s; did you mean %s?", name,
                        nearest.name);
    }
    return complain(arguments->subcommand, "there is no service %s; there are %s", name, names);
}

static const struct option_group *group_of(const struct subcommand *subcommand, const struct option *wanted)
{
    for (const struct option_group *const *group = subcommand->groups; *group; group++) {
        for (const struct option *option = (*group)->options; option->name; option++)
            if (option == wanted)
                return *group;
    }
    return NULL;
}

/* An option of another service would do nothing, which is never what was meant. */
static int check_options(const struct arguments *arguments, const struct service *service)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct option *option = arguments->given[i].option;
        const struct option_group *group = group_of(arguments->subcommand, option);

        if (group && group->service && group != service->options) {
            return complain(arguments->subcommand, "--%s belongs to the service %s; %s has no such option",
                            option->name, group->service, service->handler->name);
        }
    }
    return 0;
}

static struct service_settings settings_of(const struct arguments *arguments)
{
    const char *message = arguments_value(arguments, "message");
    const char *framing = arguments_value(arguments, "framing");

    message = message ? message : "Hello!\n";
    return (struct service_settings){.message = message,
                                     .message_size = strlen(message),
                                     .target = arguments_value(arguments, "to"),
                                     .once = arguments_given(arguments, "once"),
                                     .framed = framing && strcmp(framing, "raw") != 0};
}

/* The words of the program, and before them an end of the operands, which have the room that "--" took. */
static const char *const *cut_program_off(struct arguments *arguments)
{
    const size_t before = arguments->before_dashes;
    const char **words = arguments->operands + before;

    if (before == arguments->operand_count)
        return words;
    memmove(words + 1, words, (arguments->operand_count - before + 1) * sizeof *words);
    *words = NULL;
    arguments->operand_count = before;
    return words + 1;
}

/* Whether the program fits the options, now that they are set. */
static int check_program(const struct arguments *arguments, const parley_server *server)
{
    const struct service_settings *settings = parley_server_user(server);

    return settings->program ? program_check(settings->program, arguments, server) : 0;
}

static int set_up(const struct arguments *arguments, parley_server *server)
{
    int status = parley_set(server, "signals", "on");

    if (status == 0)
        status = parley_set(server, "log", "text");
    if (status == 0)
        status = parley_set(server, "connect-timeout", "10s"); /* relay's, the only one that dials */
    if (status)
        return complain_failure(arguments->subcommand, status);
    status = arguments_apply(arguments, server);
    if (status == 0) {
        status = parley_check(server);
        status = status ? complain_failure(arguments->subcommand, status) : 0;
    }
    return status;
}

/* Prefork and prethread have them. A number that did nothing is never what was meant. */
static int check_workers(const struct arguments *arguments, const parley_server *server)
{
    const struct placement *placement = server->options.model.placement;

    if (server->options.workers < 2 || placement_has_pool(placement))
        return 0;
    return complain(arguments->subcommand,
                    "--workers %u: %s %s; leave --workers out, or choose --model prefork or prethread",
                    server->options.workers, placement->name,
                    placement->per_client ? "begins one for each client" : "serves one client after another");
}

static int run_server(const struct arguments *arguments, const struct service *service, parley_server *server)
{
    int status = set_up(arguments, server);

    if (status == 0)
        status = check_workers(arguments, server);
    if (status == 0)
        status = check_program(arguments, server);
    if (status == 0)
        status = tell_manager(arguments, server);
    if (status == 0)
        status = confine_on_listening(arguments, server, service->needs);
    if (status == 0)
        status = listen_where_asked(arguments, 1, server);
    if (status == 0)
        status = check_program(arguments, server); /* a listener may have options of its own */
    if (status == 0 && service->handler == &relay_handler)
        status = relay_check_listening(arguments, server);
    if (status == 0) {
        status = parley_run(server);
        if (status < 0)
            complain_failure(arguments->subcommand, status);
        status = parley_exit_code(status);
    }
    return status;
}

static int serve(const struct arguments *arguments, const struct service *service,
                 struct service_settings *settings)
{
    parley_server *server = parley_server_new(service->handler);
    int status;

    if (!server)
        return complain(arguments->subcommand, "no memory for the server");
    ignore_signal(SIGPIPE);
    parley_server_set_user(server, settings);
    status = run_server(arguments, service, server);
    parley_server_free(server);
    return status;
}

/* What stands behind "--" is the program. It is looked for before anything is bound, and while PATH can be.
 */
static int serve_program(struct arguments arguments, const struct service *service,
                         struct service_settings *settings)
{
    const char *const *words = cut_program_off(&arguments);
    struct program program;
    int status = program_read(&program, &arguments, words);

    settings->program = &program;
    if (status == 0)
        status = serve(&arguments, service, settings);
    settings->program = NULL;
    program_free(&program);
    return status;
}

/* Others answer the client themselves: there is nobody to be told. */
static int check_forwarding(const struct arguments *arguments, const struct service *service)
{
    bool forwards = service->handler == &relay_handler || service->handler == &exec_handler;
    if (forwards || !arguments_given(arguments, "proxy-send"))
        return 0;
    return complain(arguments->subcommand, "--proxy-send is for relay and exec; %s passes nothing on",
                    service->handler->name);
}

/* Behind "--" stands a program, which only exec runs; before it there is an address already. */
static int check_words(const struct arguments *arguments, const struct service *service)
{
    const size_t before = arguments->before_dashes;

    if (service->handler == &exec_handler || before < 2 || before == arguments->operand_count)
        return 0;
    return complain(arguments->subcommand, "%s runs no program: %s behind -- is for exec",
                    service->handler->name, arguments->operands[before]);
}

int serve_run(const struct arguments *arguments)
{
    const char *name = arguments->operands[0];
    const struct service *service = name ? service_named(name) : NULL;
    struct service_settings settings = settings_of(arguments);
    int status;

    if (!service)
        return complain_no_service(arguments, name);
    status = check_options(arguments, service);
    if (status == 0)
        status = check_forwarding(arguments, service);
    if (status == 0)
        status = check_words(arguments, service);
    if (status == 0 && service->handler == &relay_handler)
        status = relay_check(arguments, settings.target);
    if (status)
        return status;
    if (service->handler == &exec_handler)
        return serve_program(*arguments, service, &settings);
    return serve(arguments, service, &settings);
}
