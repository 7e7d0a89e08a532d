/* The far ends: what they say, how fast they read, and how they leave. */
#include "sim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a message looks like on the wire ---- */

static void wrap_length(struct bytes *wire, size_t size)
{
    unsigned char text[10];
    size_t length = 0;
    switch (world.server->options.framing.kind) {
    case FRAMING_U32BE:
        text[length++] = (unsigned char)(size >> 24);
        text[length++] = (unsigned char)(size >> 16);
        __attribute__((fallthrough));
    case FRAMING_U16BE:
        text[length++] = (unsigned char)(size >> 8);
        text[length++] = (unsigned char)size;
        break;
    case FRAMING_VARINT:
        for (; size > 127; size >>= 7)
            text[length++] = (unsigned char)(128 | (size & 127));
        text[length++] = (unsigned char)size;
        break;
    default: break;
    }
    bytes_append(wire, text, length);
}

static bool fits(size_t size)
{
    const struct framing *framing = &world.server->options.framing;
    return framing->kind == FRAMING_RAW ||
           (framing->kind == FRAMING_FIXED ? size == framing->max : size <= framing->max);
}

bool wire_wrap(struct bytes *wire, const void *payload, size_t size)
{
    const struct framing *framing = &world.server->options.framing;
    if (!fits(size))
        return false;
    wrap_length(wire, size);
    bytes_append(wire, payload, size);
    if (framing->kind == FRAMING_LINE)
        bytes_append(wire, "\n", 1);
    if (framing->kind == FRAMING_DELIMITER)
        bytes_append(wire, "\r\n", 2);
    return true;
}

/* ---- the plan of a peer ---- */

/* Letters that depend on whose they are and where they stand, so that no two places are alike for long. */
static void fill(struct link *link, unsigned char *at, size_t size)
{
    uint64_t x = link->key + link->said.size * 31;
    for (size_t i = 0; i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        at[i] = (unsigned char)('A' + (x >> 59));
    }
}

static void say(struct link *link, size_t size)
{
    unsigned char *payload = malloc(size + 1);
    size_t before = link->said.size;
    MUST(payload, link, "no memory on this machine");
    fill(link, payload, size);
    if (wire_wrap(&link->said, payload, size)) {
        size_t suffix = world.server->options.framing.delimiter_size;
        link->messages = realloc(link->messages, (link->message_count + 1) * sizeof *link->messages);
        link->messages[link->message_count++] = (struct message){link->said.size - suffix - size, size};
    } else {
        MUST(link->said.size == before, link, "the plan is broken");
    }
    free(payload);
}

static size_t some_message_size(void)
{
    const struct framing *framing = &world.server->options.framing;
    if (framing->kind == FRAMING_FIXED)
        return framing->max;
    unsigned most = framing->kind == FRAMING_RAW || framing->max > 60000 ? 60000 : (unsigned)framing->max;
    return some_size(most);
}

static void say_much(struct link *link)
{
    for (unsigned count = some_size(60); count > 0 && link->said.size < 300000; count--)
        say(link, some_message_size());
}

/* Longer than any message may be. */
static void break_framing(struct link *link)
{
    enum framing_kind kind = world.server->options.framing.kind;
    size_t whole = link->said.size;
    if (kind == FRAMING_RAW || kind == FRAMING_FIXED || kind == FRAMING_U16BE || !chance(10))
        return;
    link->broken_from = whole;
    if (kind == FRAMING_U32BE || kind == FRAMING_VARINT) {
        bytes_append(&link->said, "\377\377\377\377\177", 5);
        return;
    }
    unsigned char byte = 'x';
    for (size_t i = 0; i <= world.server->options.framing.max + 2; i++)
        bytes_append(&link->said, &byte, 1);
}

/* Stops in the middle of a message. */
static void cut_off(struct link *link)
{
    if (link->said.size > 0 && link->broken_from == SIZE_MAX && chance(10))
        link->said.size -= below((unsigned)(link->said.size < 50 ? link->said.size : 50));
}

void peer_plan(struct link *link, int number)
{
    static const unsigned paces[] = {1, 3, 20, 100, 2000};
    *link = (struct link){
        .number = number, .fd = -1, .key = draw(), .broken_from = SIZE_MAX, .sending_from = NOT_SENDING};
    link->step_at = world.now + below(chance(50) ? 10 : 3000);
    link->pace = paces[below(5)];
    link->segment = some_size(100000) + 1;
    link->window = 1 + some_size(100000);
    link->greed = chance(15) ? 0 : 1 + some_size(200000);
    link->room = 1 + some_size(200000);
    link->end = (enum peer_end)below(3);
    link->resets_after = chance(15) ? 1 + below(40) : 0;
    link->mood = (enum mood)below(MOODS);
    link->left_to_produce = some_size(1 << 20);
    link->timer_due = -1;
    say_much(link);
    break_framing(link);
    cut_off(link);
    bytes_append(&link->said, "", 0);
}

void messages_free(struct link *link)
{
    free(link->messages);
    link->messages = NULL;
}

/* ---- a step ---- */

/* Whatever comes for a socket that is gone is answered with a reset. */
static void meets_closed(struct link *link)
{
    if (link->acked < link->accepted)
        link->destroyed = true;
    link->gone = true;
}

static void send_segment(struct link *link)
{
    size_t left = link->said.size - link->written, in_buffer = link->written - link->taken;
    size_t room = link->window > in_buffer ? link->window - in_buffer : 0;
    size_t size = left < room ? left : room;
    size = size < link->segment ? size : link->segment;
    if (size == 0)
        return;
    if (link->stage == CLOSED) {
        meets_closed(link);
        return;
    }
    link->written += size;
    link->edge = true;
    note(link, "the peer sends %zu bytes", size);
}

static void read_segment(struct link *link)
{
    size_t left = link->accepted - link->acked;
    size_t size = left < link->greed ? left : link->greed;
    link->acked += link->destroyed ? 0 : size;
    if (size > 0)
        note(link, "the peer reads %zu bytes", size);
}

static bool hears_our_end(const struct link *link)
{
    return (link->shut || link->stage == CLOSED) && link->acked == link->accepted;
}

static void end_if_due(struct link *link)
{
    bool all_said = link->written == link->said.size;
    if (link->fin || !all_said || link->end == NEVER_ENDS)
        return;
    if (link->end == ENDS_AFTER_US && !hears_our_end(link))
        return;
    link->fin = link->edge = true;
    note(link, "the peer ends");
}

static void reset(struct link *link)
{
    link->reset = link->edge = link->gone = true;
    link->error = link->fin_taken || link->shut ? EPIPE : ECONNRESET;
    link->error = chance(10) ? ETIMEDOUT : link->error;
    note(link, "the peer resets");
}

void peer_step(struct link *link)
{
    link->step_at = world.now + 1 + below(link->pace);
    if (link->stage == PLANNED) {
        link->stage = QUEUED;
        return;
    }
    if (chance(70))
        send_segment(link);
    if (chance(70))
        read_segment(link);
    if (!link->gone)
        end_if_due(link);
    if (!link->gone && link->resets_after > 0 && --link->resets_after == 0)
        reset(link);
    if (link->destroyed || (link->stage == CLOSED && link->acked == link->accepted))
        link->gone = true;
    if (link->gone)
        link->step_at = NEVER;
}
