/* Framing: where a message ends in a stream of bytes, named in words and symmetric. */
#ifndef FRAMING_FRAME_H
#define FRAMING_FRAME_H

#include <parley.h>

enum framing_kind {
    FRAMING_RAW,
    FRAMING_LINE,
    FRAMING_DELIMITER,
    FRAMING_FIXED,
    FRAMING_U16BE,
    FRAMING_U32BE,
    FRAMING_VARINT
};

struct framing {
    enum framing_kind kind;
    size_t max; /* longest payload accepted and sent; defaults: line, delim 64 KiB, u16be 65535,
                   u32be, varint 16 MiB */
    unsigned char delimiter[16]; /* what ends a message: LF for lines */
    size_t delimiter_size;
};

/* Parses "raw", "line", "line max=512", "u16be", "u32be max=1MiB", "varint", "fixed=64",
 * "delim=\r\n max=4KiB" (escapes \r \n \t \0 \\ \xNN). NULL is raw. 0 or PARLEY_USAGE with the sentence. */
int framing_parse(struct framing *framing, const char *words);

/* Bytes of a message that is not whole yet, or that the handler would not take yet. Allocated only while
 * there are any, never larger than what has arrived (a length claimed by the peer allocates nothing). */
struct frame;

/* What is put around a payload when it is sent. */
struct frame_envelope {
    unsigned char prefix[10]; /* the length, big-endian or varint (LEB128) */
    size_t prefix_size;
    const unsigned char *suffix; /* the delimiter, of the framing itself */
    size_t suffix_size;
};

/* 0, or PARLEY_USAGE: the payload is longer than max, is not `fixed` long, or holds the delimiter (a line
 * would become two). */
int frame_wrap(const struct framing *framing, const void *payload, size_t size,
               struct frame_envelope *envelope);

/* Takes one message; false: take no more for now (the handler paused, finished or failed). */
typedef bool frame_deliver(void *context, const void *payload, size_t size);

/* Cuts what is kept in `*partial` followed by `bytes` into messages and delivers each: straight out of
 * `bytes` without a copy where it lies whole in it. The rest is kept in `*partial` (NULL while empty);
 * `size` 0 delivers what was kept. For lines, one CR before the LF is stripped too. Work is linear
 * in the bytes, also when they come one by one. 0; PARLEY_NETWORK with the sentence when the peer broke the
 * framing ("line longer than 512 bytes"); PARLEY_RESOURCE without memory. */
int frame_feed(const struct framing *framing, struct frame **partial, const void *bytes, size_t size,
               frame_deliver *deliver, void *context);

/* Keeps bytes without looking for messages: those that arrive while the handler has paused. 0 or
 * PARLEY_RESOURCE. */
int frame_keep(struct frame **partial, const void *bytes, size_t size);

/* Whether a message is begun and not whole: the peer's end is then PARLEY_TRUNCATED. A last line without its
 * LF is not: frame_finish() delivers it. */
bool frame_is_open(const struct framing *framing, const struct frame *partial);
/* At the peer's end: delivers the last unterminated line, if any. */
void frame_finish(const struct framing *framing, struct frame **partial, frame_deliver *deliver,
                  void *context);
/* Bytes kept. */
size_t frame_kept(const struct frame *partial);
void frame_free(struct frame **partial);

#endif
