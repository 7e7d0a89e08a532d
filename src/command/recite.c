/* --send: a text said once, or again and again. */
#include "command/conversation.h"

#include <stdlib.h>

static bool has_more(const struct speech *speech)
{
    return speech->count == 0 || speech->number < speech->count;
}

/* Answers to a repeated message start on a line of their own where a person reads them. */
static void separate_answers(struct conversation *conversation)
{
    struct output *output = &conversation->hearing.output;
    if (conversation->speech.every > 0 && output->is_terminal && output->mid_line)
        output_write(output, "\n", 1);
}

static void recite(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    size_t size;
    char *message = script_message(speech->text, speech->number + 1, &size);
    if (message == NULL) {
        conversation_fail(conversation, complain(conversation->arguments->subcommand, "no memory"));
        return;
    }
    separate_answers(conversation);
    speech->number++;
    speech_send(conversation, message, size);
    free(message);
}

static void end_if_done(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    if (!speech->ended && !has_more(speech)) {
        speech->ended = true;
        speech_end(conversation);
    }
}

void recite_many(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    while (has_more(speech) && !conversation->leaving && parley_queued(conversation->conn) <= INPUT_MARK)
        recite(conversation);
    end_if_done(conversation);
}

void recite_next(struct conversation *conversation)
{
    if (conversation->leaving || conversation->speech.ended)
        return;
    recite(conversation);
    end_if_done(conversation);
    if (!conversation->speech.ended)
        conversation_schedule(conversation, DUE_MESSAGE, conversation->speech.every);
}

void recite_start(struct conversation *conversation)
{
    struct speech *speech = &conversation->speech;
    speech->number = 0;
    speech->ended = false;
    if (speech->every > 0)
        recite_next(conversation);
    else
        recite_many(conversation);
}
