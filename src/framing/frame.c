/* Cutting a stream of bytes into messages, and keeping what is not whole yet. */
#include "framing/frame.h"

#include <string.h>

#include "base/error.h"
#include "base/sys.h"

/* The kept bytes are bytes[start .. end). */
struct frame {
    size_t start, end, capacity;
    size_t searched; /* of them, these hold no delimiter: never looked at twice */
    unsigned char bytes[];
};

/* The first message in some bytes, as far as they tell. */
struct message {
    size_t offset, size; /* of the payload */
    size_t whole;        /* with its envelope; 0 while that is not known */
};

struct input {
    const unsigned char *bytes;
    size_t size;
};

struct receiver {
    frame_deliver *deliver;
    void *context;
};

/* ---- where a message ends ------------------------------------------------------------------- */

static int refuse_length(const struct framing *framing, uint64_t length)
{
    return fail(PARLEY_NETWORK, "message of %llu bytes, longer than %zu", (unsigned long long)length,
                framing->max);
}

static int accept_length(const struct framing *framing, uint64_t length, size_t prefix,
                         struct message *message)
{
    if (length > framing->max)
        return refuse_length(framing, length);
    *message = (struct message){prefix, (size_t)length, prefix + (size_t)length};
    return 0;
}

static int examine_big_endian(const struct framing *framing, const unsigned char *bytes, size_t size,
                              struct message *message)
{
    size_t width = framing->kind == FRAMING_U16BE ? 2 : 4;
    uint64_t length = 0;

    if (size < width)
        return 0;
    for (size_t i = 0; i < width; i++)
        length = length << 8 | bytes[i];
    return accept_length(framing, length, width, message);
}

/* LEB128: seven bits a byte, the lowest first. Each length has one spelling only, so that two readers of the
 * same bytes can never disagree. */
static int examine_varint(const struct framing *framing, const unsigned char *bytes, size_t size,
                          struct message *message)
{
    uint64_t length = 0;

    for (size_t i = 0; i < size; i++) {
        if (i == 9 && bytes[i] > 1)
            return fail(PARLEY_NETWORK, "varint length over 64 bits");
        length |= (uint64_t)(bytes[i] & 0x7f) << (7 * i);
        if (bytes[i] < 0x80) {
            return bytes[i] == 0 && i > 0 ? fail(PARLEY_NETWORK, "varint length with needless zero bytes")
                                          : accept_length(framing, length, i + 1, message);
        }
    }
    return 0;
}

/* Of bytes without a delimiter, how many at the end may be the beginning of one. */
static size_t begun_delimiter(const struct framing *framing, const unsigned char *bytes, size_t size)
{
    size_t length = framing->delimiter_size - 1 < size ? framing->delimiter_size - 1 : size;

    if (framing->kind == FRAMING_LINE)
        return size > 0 && bytes[size - 1] == '\r';
    while (length > 0 && memcmp(bytes + size - length, framing->delimiter, length) != 0)
        length--;
    return length;
}

static int check_line(const struct framing *framing, size_t payload)
{
    if (payload <= framing->max)
        return 0;
    return fail(PARLEY_NETWORK, "%s longer than %zu bytes",
                framing->kind == FRAMING_LINE ? "line" : "message", framing->max);
}

static int examine_delimited(const struct framing *framing, const unsigned char *bytes, size_t size,
                             size_t searched, struct message *message)
{
    size_t overlap = framing->delimiter_size - 1;
    size_t from = searched > overlap ? searched - overlap : 0;
    const unsigned char *found =
        memmem(bytes + from, size - from, framing->delimiter, framing->delimiter_size);
    size_t payload;

    if (found == NULL)
        return check_line(framing, size - begun_delimiter(framing, bytes, size));
    payload = (size_t)(found - bytes);
    message->whole = payload + framing->delimiter_size;
    if (framing->kind == FRAMING_LINE && payload > 0 && bytes[payload - 1] == '\r')
        payload--;
    message->size = payload;
    return check_line(framing, payload);
}

/* Looks at the first message. 0, or PARLEY_NETWORK when it breaks the framing. */
static int examine(const struct framing *framing, const unsigned char *bytes, size_t size, size_t searched,
                   struct message *message)
{
    *message = (struct message){0};
    switch (framing->kind) {
    case FRAMING_LINE:
    case FRAMING_DELIMITER: return examine_delimited(framing, bytes, size, searched, message);
    case FRAMING_U16BE:
    case FRAMING_U32BE: return examine_big_endian(framing, bytes, size, message);
    case FRAMING_VARINT: return examine_varint(framing, bytes, size, message);
    case FRAMING_FIXED: *message = (struct message){0, framing->max, framing->max}; return 0;
    case FRAMING_RAW: break;
    }
    *message = (struct message){0, size, size};
    return 0;
}

static bool is_whole(const struct message *message, size_t size)
{
    return message->whole > 0 && message->whole <= size;
}

/* ---- keeping bytes -------------------------------------------------------------------------- */

size_t frame_kept(const struct frame *partial)
{
    return partial != NULL ? partial->end - partial->start : 0;
}

void frame_free(struct frame **partial)
{
    sys.free(*partial);
    *partial = NULL;
}

static struct frame *frame_resize(struct frame *frame, size_t capacity)
{
    struct frame *resized = sys.realloc(frame, sizeof *frame + capacity);

    if (resized == NULL)
        return NULL;
    if (frame == NULL)
        resized->start = resized->end = resized->searched = 0;
    resized->capacity = capacity;
    return resized;
}

/* Makes room for `size` more bytes: by moving the kept ones to the front where that frees half of the room,
 * otherwise by doubling. Either way a byte is moved a constant number of times. */
static bool make_room(struct frame **partial, size_t size)
{
    struct frame *frame = *partial;
    size_t kept = frame_kept(frame);
    size_t used;

    if (frame != NULL && frame->capacity - frame->end >= size)
        return true;
    if (frame != NULL && frame->start >= kept && frame->capacity - kept >= size) {
        memmove(frame->bytes, frame->bytes + frame->start, kept);
        frame->start = 0;
        frame->end = kept;
        return true;
    }
    used = frame != NULL ? frame->end : 0;
    frame = frame_resize(frame, used + (size > used ? size : used));
    if (frame != NULL)
        *partial = frame;
    return frame != NULL;
}

/* Moves the first `size` bytes of the input to the kept ones. */
static int keep(struct frame **partial, struct input *input, size_t size)
{
    if (!make_room(partial, size))
        return fail(PARLEY_RESOURCE, "no memory for %zu bytes of a message", size);
    memcpy((*partial)->bytes + (*partial)->end, input->bytes, size);
    (*partial)->end += size;
    input->bytes += size;
    input->size -= size;
    return 0;
}

static void drop(struct frame **partial, size_t size)
{
    (*partial)->start += size;
    (*partial)->searched = 0;
    if ((*partial)->start == (*partial)->end)
        frame_free(partial);
}

/* ---- feeding -------------------------------------------------------------------------------- */

/* How many bytes of the input can belong to the message begun in the `kept` bytes: not one more is copied
 * than that message has. */
static size_t continuation(const struct framing *framing, const struct message *message, size_t kept,
                           const struct input *input)
{
    const unsigned char *last;
    size_t wanted = 1; /* of a length */

    if (message->whole > 0) {
        wanted = message->whole - kept;
    } else if (framing->delimiter_size > 0) {
        last = memchr(input->bytes, framing->delimiter[framing->delimiter_size - 1], input->size);
        wanted = last != NULL ? (size_t)(last - input->bytes) + 1 : input->size;
    }
    return wanted < input->size ? wanted : input->size;
}

/* Delivers what is kept, completed from the input, until nothing is kept or no more is taken. */
static int feed_kept(const struct framing *framing, struct frame **partial, struct input *input,
                     const struct receiver *receiver, bool *more)
{
    struct message message;
    int status = 0;

    while (status == 0 && *partial != NULL && *more) {
        struct frame *frame = *partial;
        const unsigned char *bytes = frame->bytes + frame->start;
        size_t kept = frame_kept(frame);

        status = examine(framing, bytes, kept, frame->searched, &message);
        frame->searched = kept;
        if (status < 0)
            return status;
        if (is_whole(&message, kept)) {
            *more = receiver->deliver(receiver->context, bytes + message.offset, message.size);
            drop(partial, message.whole);
        } else if (input->size == 0) {
            break;
        } else {
            status = keep(partial, input, continuation(framing, &message, kept, input));
        }
    }
    return status;
}

/* Delivers straight out of the input the messages that lie whole in it, the rest stays in it. */
static int feed_input(const struct framing *framing, struct input *input, const struct receiver *receiver,
                      bool *more)
{
    struct message message;
    int status;

    while (input->size > 0 && *more) {
        status = examine(framing, input->bytes, input->size, 0, &message);
        if (status < 0)
            return status;
        if (!is_whole(&message, input->size))
            break;
        *more = receiver->deliver(receiver->context, input->bytes + message.offset, message.size);
        input->bytes += message.whole;
        input->size -= message.whole;
    }
    return 0;
}

/* Keeps what is left. Unless nothing more was taken, all of it has been searched. */
static int keep_rest(struct frame **partial, struct input *input, bool searched)
{
    size_t size = input->size;
    int status = size > 0 ? keep(partial, input, size) : 0;

    if (status == 0 && size > 0 && *partial != NULL && searched)
        (*partial)->searched = size;
    return status;
}

int frame_feed(const struct framing *framing, struct frame **partial, const void *bytes, size_t size,
               frame_deliver *deliver, void *context)
{
    struct input input = {bytes, size};
    const struct receiver receiver = {deliver, context};
    bool more = true;
    int status = feed_kept(framing, partial, &input, &receiver, &more);

    if (status == 0 && *partial == NULL)
        status = feed_input(framing, &input, &receiver, &more);
    /* With more wanted, feed_kept() leaves kept bytes only when it has used up the input. */
    return status < 0 ? status : keep_rest(partial, &input, more);
}

int frame_keep(struct frame **partial, const void *bytes, size_t size)
{
    struct input input = {bytes, size};
    return keep(partial, &input, size);
}

bool frame_is_open(const struct framing *framing, const struct frame *partial)
{
    return framing->kind != FRAMING_RAW && framing->kind != FRAMING_LINE && frame_kept(partial) > 0;
}

void frame_finish(const struct framing *framing, struct frame **partial, frame_deliver *deliver,
                  void *context)
{
    const struct receiver receiver = {deliver, context};
    struct input nothing = {NULL, 0};
    struct frame *frame;
    size_t size;
    bool more = true;

    if (framing->kind != FRAMING_LINE || feed_kept(framing, partial, &nothing, &receiver, &more) < 0 ||
        !more || *partial == NULL)
        return;
    /* The end stands for the LF, so one CR before it goes as well. */
    frame = *partial;
    size = frame_kept(frame);
    size -= frame->bytes[frame->end - 1] == '\r';
    deliver(context, frame->bytes + frame->start, size);
    frame_free(partial);
}
