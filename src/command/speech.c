/* What this side says: from a pipe, a file, or lines typed at a terminal. */
#include "command/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Once the peer has finished sending, input that does not go on for so long is left. */
enum { GRACE = 200, LONGEST_LINE = 64 * 1024 * 1024 };

static bool is_read(const struct speech *speech)
{
    return speech->text == NULL;
}

static int complain_about(const struct conversation *conversation, const char *sentence)
{
    return complain(conversation->arguments->subcommand, "%s", sentence);
}

static int check(const struct conversation *conversation)
{
    const struct arguments *arguments = conversation->arguments;
    if (!arguments_given(arguments, "send") &&
        (arguments_given(arguments, "every") || arguments_given(arguments, "count")))
        return complain_about(conversation, "--every and --count repeat a message; give it with --send TEXT");
    if (arguments_count(arguments, "count", 1) == 0)
        return complain_about(conversation, "--count 0 would send nothing; leave --send out");
    if (conversation->speech.framed && conversation->speech.crlf)
        return complain_about(conversation, "-C ends lines, and --framing ends messages; give one of them");
    return 0;
}

int speech_open(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    const struct arguments *arguments = conversation->arguments;
    const char *framing = arguments_value(arguments, "framing");
    const char *prompt = arguments_value(arguments, "prompt");
    speech->text = arguments_value(arguments, "send");
    speech->every = arguments_time(arguments, "every", 0);
    speech->count = (uint64_t)arguments_count(arguments, "count", speech->every > 0 ? 0 : 1);
    speech->crlf = arguments_given(arguments, "crlf");
    speech->framed = framing != NULL && strcmp(framing, "raw") != 0;
    int outcome = check(conversation);
    if (outcome != 0 || !is_read(speech))
        return outcome;
    if (parley_watch(conversation->server, STDIN_FILENO, speech_readable) != PARLEY_OK)
        return complain_failure(arguments->subcommand, PARLEY_USAGE);
    if (terminal_is_possible())
        speech->terminal = terminal_open(prompt != NULL ? prompt : "");
    return 0;
}

void speech_close(struct speech *speech)
{
    terminal_close(speech->terminal);
    speech->terminal = NULL;
    free(speech->line);
    speech->line = NULL;
}

/* Gives bytes, or one message, to the connection. */
static void send_bytes(struct conversation *conversation, const char *bytes, size_t size)
{
    int status = parley_send(conversation->conn, bytes, size);
    if (status == PARLEY_USAGE) {
        conversation_fail(conversation, complain_failure(conversation->arguments->subcommand, status));
    } else if (status == PARLEY_OK) {
        conversation->said_after_end = conversation->peer_ended;
        hearing_dump(conversation, DUMP_SENT, bytes, size);
    }
}

static void send_text(struct conversation *conversation, const char *bytes, size_t size)
{
    struct speech *speech = &conversation->speech;
    while (speech->crlf && size > 0) {
        size_t piece = size < INPUT_PIECE ? size : INPUT_PIECE;
        size_t longer = line_ends_expand(&speech->line_ends, bytes, piece, speech->expanded);
        send_bytes(conversation, speech->expanded, longer);
        bytes += piece;
        size -= piece;
    }
    if (size > 0)
        send_bytes(conversation, bytes, size);
}

/* Keeps the beginning of a line until its end comes. */
static bool keep(struct conversation *conversation, const char *bytes, size_t size)
{
    struct speech *speech = &conversation->speech;
    if (speech->line_room - speech->line_size < size) {
        size_t room = 2 * (speech->line_size + size);
        char *line = room <= LONGEST_LINE ? realloc(speech->line, room) : NULL;
        if (line == NULL) {
            conversation_fail(conversation,
                              complain_about(conversation, "a line of the input is too long for a message"));
            return false;
        }
        speech->line = line;
        speech->line_room = room;
    }
    memcpy(speech->line + speech->line_size, bytes, size);
    speech->line_size += size;
    return true;
}

/* With framing, each line is a message, without its LF. */
static void send_lines(struct conversation *conversation, const char *bytes, size_t size)
{
    struct speech *speech = &conversation->speech;
    const char *end;
    while (size > 0 && !conversation->leaving && (end = memchr(bytes, '\n', size)) != NULL) {
        size_t length = (size_t)(end - bytes);
        if (speech->line_size == 0)
            send_bytes(conversation, bytes, length);
        else if (keep(conversation, bytes, length))
            send_bytes(conversation, speech->line, speech->line_size);
        speech->line_size = 0;
        bytes = end + 1;
        size -= length + 1;
    }
    if (size > 0 && !conversation->leaving)
        keep(conversation, bytes, size);
}

void speech_send(struct conversation *conversation, const char *bytes, size_t size)
{
    if (conversation->speech.framed)
        send_bytes(conversation, bytes, size);
    else
        send_text(conversation, bytes, size);
}

static void say(struct conversation *conversation, const char *bytes, size_t size)
{
    if (conversation->speech.framed)
        send_lines(conversation, bytes, size);
    else
        send_text(conversation, bytes, size);
}

/* The end of a finished speech: SHUT_WR, and the answers are still read. */
void speech_end(struct conversation *conversation)
{
    int64_t quit = arguments_time(conversation->arguments, "quit-after", -1);
    if (conversation->leaving)
        return;
    if (quit == 0 || conversation->peer_ended) {
        conversation_leave(conversation);
        return;
    }
    if (quit > 0)
        conversation_schedule(conversation, DUE_QUIT, quit);
    if (is_read(&conversation->speech) || conversation->hearing.until.text == NULL)
        parley_half_close(conversation->conn);
    else
        conversation_schedule(conversation, DUE_END, SILENCE);
}

void speech_start(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    if (!is_read(speech)) {
        recite_start(conversation);
    } else if (speech->ended) {
        speech_end(conversation);
    } else {
        parley_watch_pause(conversation->server, STDIN_FILENO, false);
        terminal_start(speech->terminal);
    }
}

void speech_stop(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    if (is_read(speech))
        parley_watch_pause(conversation->server, STDIN_FILENO, true);
    terminal_stop(speech->terminal);
}

void speech_continue(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    if (conversation->leaving || speech->ended)
        return;
    if (is_read(speech))
        parley_watch_pause(conversation->server, STDIN_FILENO, false);
    else if (speech->every == 0)
        recite_many(conversation);
}

static void input_ended(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    speech->ended = true;
    speech_stop(conversation);
    if (speech->line_size > 0) {
        send_bytes(conversation, speech->line, speech->line_size);
        speech->line_size = 0;
    }
    speech_end(conversation);
}

static void read_terminal(struct conversation *conversation)
{
    const char *line;
    size_t size;
    enum terminal_event event;
    do {
        event = terminal_key(conversation->speech.terminal, &line, &size);
        if (event == TERMINAL_LINE)
            say(conversation, line, size);
    } while (event != TERMINAL_END && !conversation->leaving && terminal_has_key());
    if (event == TERMINAL_END)
        input_ended(conversation);
}

static void read_pipe(struct conversation *conversation)
{
    char *piece = conversation->speech.piece;
    ssize_t size = read(STDIN_FILENO, piece, INPUT_PIECE);
    if (size > 0) {
        say(conversation, piece, (size_t)size);
    } else if (size == 0) {
        input_ended(conversation);
    } else if (errno != EAGAIN && errno != EINTR) {
        conversation_fail(conversation,
                          complain_call(conversation->arguments->subcommand, "read", "standard input"));
    }
}

void speech_readable(parley_server *server, int descriptor)
{
    struct conversation *conversation = conversation_current();
    struct speech *speech = &conversation->speech;
    if (conversation->conn == NULL || conversation->leaving || speech->ended) {
        parley_watch_pause(server, descriptor, true);
        return;
    }
    if (speech->terminal != NULL)
        read_terminal(conversation);
    else
        read_pipe(conversation);
    if (conversation->peer_ended && !conversation->leaving)
        conversation_schedule(conversation, DUE_GRACE, GRACE);
    if (!conversation->leaving && parley_queued(conversation->conn) > INPUT_MARK)
        parley_watch_pause(server, descriptor, true);
}
