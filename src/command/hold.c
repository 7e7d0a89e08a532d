/* Holding a conversation, from the options to the exit code. */
#include "command/conversation.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/activation.h"
#include "command/confine.h"
#include "command/interrupt.h"

static struct conversation *current;

struct conversation *conversation_current(void)
{
    return current;
}

/* ---- signals ---- */

/* ^Z: the terminal is the shell's until we are continued. */
static void suspend(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    terminal_stop(speech->terminal);
    raise(SIGSTOP);
    if (conversation->conn != NULL && !conversation->leaving && !speech->ended)
        terminal_start(speech->terminal);
}

static void interrupt(struct conversation *conversation, int number)
{
    if (conversation->interrupted != 0) {
        terminal_close(conversation->speech.terminal);
        save_discard(&conversation->hearing.save);
        _exit(128 + number);
    }
    conversation->interrupted = number;
    conversation->leaving = true;
    conversation->keeps = false;
    speech_stop(conversation);
    parley_stop(conversation->server);
}

static void interrupt_arrived(parley_server *server, int descriptor)
{
    struct conversation *conversation = current;
    int number;
    (void)server;
    while ((number = interrupt_take(descriptor)) != 0)
        if (number == SIGTSTP)
            suspend(conversation);
        else if (number != SIGWINCH)
            interrupt(conversation, number);
        else if (conversation->speech.terminal != NULL)
            terminal_resized(conversation->speech.terminal);
}

/* ---- setting up ---- */

/* Whether the log tells of comings and goings, so that we need not. */
static bool has_log(const struct arguments *arguments)
{
    const char *format = arguments_value(arguments, "log");
    return format != NULL ? strcmp(format, "text") == 0 || strcmp(format, "json") == 0
                          : arguments_given(arguments, "verbose");
}

static void print_progress(const char *sentence)
{
    char line[1024];
    int length = snprintf(line, sizeof line, "%s\n", sentence);
    if (length > 0 && (size_t)length < sizeof line && write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* stderr is closed: nobody wants to know */
}

/* What the name resolved to, once; with -v every step. Called from the thread that dials, and from no other.
 */
static void progress(parley_server *server, const char *sentence)
{
    static bool resolved;
    /* A failure has a colon before its reason, such as "network is unreachable". */
    bool is_result = strstr(sentence, " is ") != NULL && strstr(sentence, ": ") == NULL;
    bool is_logged = strncmp(sentence, "connected to ", strlen("connected to ")) == 0 && current->is_quiet;
    (void)server;
    if ((arguments_given(current->arguments, "verbose") && !is_logged) || (is_result && !resolved))
        print_progress(sentence);
    resolved = resolved || is_result;
}

static int set_defaults(const struct conversation *conversation)
{
    static const char *const defaults[][2] = {
        {"model", "iterative+epoll"}, {"workers", "1"},   {"high-water", CONVERSATION_HIGH_WATER},
        {"connections", "1"},         {"drain", "200ms"},
    };
    const struct arguments *arguments = conversation->arguments;
    int status = 0;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0] && status == 0; i++)
        status = parley_set(conversation->server, defaults[i][0], defaults[i][1]);
    if (status == 0 && conversation->is_quiet && !arguments_given(arguments, "log"))
        status = parley_set(conversation->server, "log", "text");
    if (status == 0 && arguments_given(arguments, "wait")) {
        status = parley_set(conversation->server, "connect-timeout", arguments_value(arguments, "wait"));
        status = status != 0 ? status : parley_set(conversation->server, "retry", "1000000000");
    }
    return status != 0 ? complain_failure(arguments->subcommand, status)
                       : arguments_apply(arguments, conversation->server);
}

static int check(const struct conversation *conversation)
{
    const struct arguments *arguments = conversation->arguments;
    if (conversation->keeps && arguments_given(arguments, "save"))
        return complain(arguments->subcommand, "--save keeps what one client sends; leave -k out");
    return 0;
}

static int start_listening(struct conversation *conversation)
{
    const struct arguments *arguments = conversation->arguments;
    int outcome = confine_on_listening(arguments, conversation->server, CONFINE_TALKS);
    outcome = outcome == 0 ? listen_where_asked(arguments, 0, conversation->server) : outcome;
    for (size_t i = 0; outcome == 0 && !conversation->is_quiet && i < parley_listeners(conversation->server);
         i++)
        fprintf(stderr, "listening on %s\n", parley_listener_address(conversation->server, i));
    return outcome;
}

/* Loud, since what follows looks as safe as it is not. */
static void warn_of_strangers(const struct arguments *arguments)
{
    if (arguments_given(arguments, "insecure"))
        complain(arguments->subcommand,
                 "--insecure: the server's certificate is not verified, so anybody may be at the other end");
}

static int start_dialling(struct conversation *conversation)
{
    warn_of_strangers(conversation->arguments);
    char *address = arguments_address(conversation->arguments);
    if (address == NULL)
        return EXIT_USAGE;
    int status = parley_dial(conversation->server, address);
    free(address);
    parley_on_progress(conversation->server, progress);
    return status == PARLEY_OK ? 0 : complain_failure(conversation->arguments->subcommand, status);
}

static int watch_interrupts(struct conversation *conversation)
{
    conversation->interrupts = interrupt_open();
    if (conversation->interrupts < 0 ||
        parley_watch(conversation->server, conversation->interrupts, interrupt_arrived) != PARLEY_OK)
        return complain_call(conversation->arguments->subcommand, "signalfd", "for TERM and INT");
    return 0;
}

static int start(struct conversation *conversation)
{
    int outcome = check(conversation);
    outcome = outcome != 0 ? outcome : set_defaults(conversation);
    outcome = outcome != 0 ? outcome : watch_interrupts(conversation);
    outcome = outcome != 0 ? outcome : speech_open(conversation);
    outcome = outcome != 0 ? outcome : hearing_open(conversation);
    if (outcome == 0) {
        int status = parley_check(conversation->server);
        outcome = status != PARLEY_OK ? complain_failure(conversation->arguments->subcommand, status) : 0;
    }
    if (outcome != 0)
        return outcome;
    return conversation->listens ? start_listening(conversation) : start_dialling(conversation);
}

static void run(struct conversation *conversation)
{
    int status = parley_run(conversation->server);
    speech_close(&conversation->speech);
    interrupt_close(conversation->interrupts);
    if (status < 0 && conversation->exit_code == 0 && conversation->interrupted == 0)
        conversation->exit_code = complain_failure(conversation->arguments->subcommand, status);
    hearing_close(conversation);
}

static void start_and_run(struct conversation *conversation)
{
    conversation->exit_code = start(conversation);
    if (conversation->exit_code == 0) {
        run(conversation);
    } else {
        speech_close(&conversation->speech);
        save_discard(&conversation->hearing.save);
    }
}

static void fill(struct conversation *conversation, const struct arguments *arguments, bool listens)
{
    conversation->arguments = arguments;
    conversation->listens = listens;
    conversation->keeps = arguments_given(arguments, "keep");
    conversation->is_quiet = has_log(arguments);
    conversation->hearing.save = (struct save)SAVE_NONE;
    conversation->interrupts = -1;
    /* So that the log and refusals name the subcommand. */
    conversation->handler = conversation_handler;
    conversation->handler.name = arguments->subcommand->name;
}

int conversation_hold(const struct arguments *arguments, bool listens)
{
    struct conversation *conversation = calloc(1, sizeof *conversation);
    if (conversation == NULL)
        return complain(arguments->subcommand, "no memory");
    fill(conversation, arguments, listens);
    current = conversation;
    conversation->server = parley_server_new(&conversation->handler);
    if (conversation->server != NULL) {
        parley_server_set_user(conversation->server, conversation);
        start_and_run(conversation);
    } else {
        conversation->exit_code = complain(arguments->subcommand, "no memory");
    }
    parley_server_free(conversation->server);
    int code = conversation->interrupted != 0 ? 128 + conversation->interrupted : conversation->exit_code;
    free(conversation);
    return code;
}
