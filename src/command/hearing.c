/* What comes from the peer: to standard output, to the file, to the dump, and past the text waited for. */
#include "command/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An unterminated line that equals the text counts when nothing follows it for so long. */
enum { UNTIL_PAUSE = 200 };

static void output_failed(struct conversation *conversation)
{
    conversation->hearing.is_broken = true;
    conversation_fail(conversation, complain_unwritten(conversation->arguments->subcommand));
}

static void save_failed(struct conversation *conversation)
{
    const struct arguments *arguments = conversation->arguments;
    conversation_fail(conversation, complain_call(arguments->subcommand, save_failed_call(),
                                                  arguments_value(arguments, "save")));
}

/* The reader of our output is slow: the peer has to wait as well. */
static void hold_back(struct conversation *conversation)
{
    if (!output_is_behind(&conversation->hearing.output))
        return;
    if (conversation->conn != NULL)
        parley_pause(conversation->conn);
    parley_watch_pause(conversation->server, conversation->hearing.output.gate, false);
}

/* The output takes bytes again. */
static void gate_opened(parley_server *server, int descriptor)
{
    struct conversation *conversation = conversation_current();
    struct output *output = &conversation->hearing.output;
    if (output_continue(output) != 0) {
        parley_watch_pause(server, descriptor, true);
        output_failed(conversation);
    } else if (!output_is_behind(output)) {
        parley_watch_pause(server, descriptor, true);
        if (conversation->conn != NULL)
            parley_resume(conversation->conn);
    }
}

int hearing_open(struct conversation *conversation)
{
    struct hearing *hearing = &conversation->hearing;
    const struct arguments *arguments = conversation->arguments;
    const char *path = arguments_value(arguments, "save");
    hearing->save = (struct save)SAVE_NONE;
    hearing->raw = arguments_given(arguments, "raw");
    hearing->until.text = arguments_value(arguments, "until");
    hearing->dump.out = arguments_given(arguments, "dump") ? stderr : NULL;
    if (output_open(&hearing->output, 1) != 0)
        return complain_call(arguments->subcommand, "open", "standard output");
    if (path != NULL && save_open(&hearing->save, path) != 0)
        return complain_call(arguments->subcommand, save_failed_call(), path);
    if (hearing->output.gate >= 0 &&
        parley_watch(conversation->server, hearing->output.gate, gate_opened) != PARLEY_OK)
        return complain_failure(arguments->subcommand, PARLEY_USAGE);
    return 0;
}

static void show(struct conversation *conversation, const char *text, size_t size)
{
    struct hearing *hearing = &conversation->hearing;
    if (conversation->speech.terminal != NULL)
        terminal_show(conversation->speech.terminal, text, size);
    else if (output_write(&hearing->output, text, size) != 0)
        output_failed(conversation);
    else
        hold_back(conversation);
}

/* A terminal gets nothing that could command it; files and pipes get every byte as it is. */
static void show_safely(struct conversation *conversation, const void *bytes, size_t size)
{
    if (!conversation->hearing.output.is_terminal || conversation->hearing.raw) {
        show(conversation, bytes, size);
        return;
    }
    char *text = malloc(NEUTRALISED_ROOM(size));
    if (text == NULL) {
        conversation_fail(conversation, complain(conversation->arguments->subcommand, "no memory"));
        return;
    }
    show(conversation, text, neutralise(&conversation->hearing.neutraliser, bytes, size, text));
    free(text);
}

void hearing_dump(struct conversation *conversation, enum dump_direction direction, const void *bytes,
                  size_t size)
{
    struct dump *dump = &conversation->hearing.dump;
    if (dump->out == NULL || conversation->speech.terminal == NULL) {
        dump_bytes(dump, direction, parley_peer(conversation->conn), bytes, size);
        return;
    }
    /* While a line is being typed, even our own words go around it. */
    char *text = NULL;
    size_t length = 0;
    dump->out = open_memstream(&text, &length);
    dump_bytes(dump, direction, parley_peer(conversation->conn), bytes, size);
    if (dump->out != NULL) {
        fclose(dump->out);
        terminal_show(conversation->speech.terminal, text, length);
    }
    free(text);
    dump->out = stderr;
}

static void look_out(struct conversation *conversation, const void *bytes, size_t size)
{
    struct until *until = &conversation->hearing.until;
    conversation->due[DUE_UNTIL] = 0;
    if (conversation->due[DUE_END] != 0)
        conversation_schedule(conversation, DUE_END, SILENCE);
    if (until_feed(until, bytes, size))
        conversation_leave(conversation);
    else if (until_is_whole(until))
        conversation_schedule(conversation, DUE_UNTIL, UNTIL_PAUSE);
}

static void take(struct conversation *conversation, const void *bytes, size_t size)
{
    if (save_write(&conversation->hearing.save, bytes, size) != 0) {
        save_failed(conversation);
        return;
    }
    show_safely(conversation, bytes, size);
    look_out(conversation, bytes, size);
}

void hearing_take(struct conversation *conversation, const void *bytes, size_t size)
{
    hearing_dump(conversation, DUMP_RECEIVED, bytes, size);
    take(conversation, bytes, size);
    /* Framing has taken the message's end off: it is shown as a line. */
    if (conversation->speech.framed)
        take(conversation, "\n", 1);
}

int hearing_settle(struct conversation *conversation)
{
    if (save_settle(&conversation->hearing.save) == 0)
        return 0;
    save_failed(conversation);
    return -1;
}

void hearing_end(struct conversation *conversation)
{
    struct hearing *hearing = &conversation->hearing;
    char rest[12];
    show(conversation, rest, neutralise_end(&hearing->neutraliser, rest));
    if (until_is_whole(&hearing->until))
        hearing->until.seen = true;
    if (hearing->output.is_terminal && hearing->output.mid_line && !hearing->is_broken)
        show(conversation, "\n", 1);
}

int hearing_close(struct conversation *conversation)
{
    struct hearing *hearing = &conversation->hearing;
    if (!hearing->is_broken && output_finish(&hearing->output) != 0)
        output_failed(conversation);
    if (output_close(&hearing->output) != 0 && !hearing->is_broken)
        output_failed(conversation);
    if (conversation->exit_code != 0 || conversation->interrupted != 0)
        save_discard(&hearing->save);
    else if (save_commit(&hearing->save) != 0)
        save_failed(conversation);
    return conversation->exit_code;
}
