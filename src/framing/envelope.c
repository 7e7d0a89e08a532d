/* What is put around a message when it is sent: exactly what frame.c strips. */
#include <string.h>

#include "base/error.h"
#include "framing/frame.h"

static void put_big_endian(struct frame_envelope *envelope, size_t width, size_t length)
{
    envelope->prefix_size = width;
    for (size_t i = width; i-- > 0; length >>= 8)
        envelope->prefix[i] = (unsigned char)length;
}

static void put_varint(struct frame_envelope *envelope, size_t length)
{
    for (; length >= 0x80; length >>= 7)
        envelope->prefix[envelope->prefix_size++] = (unsigned char)(length | 0x80);
    envelope->prefix[envelope->prefix_size++] = (unsigned char)length;
}

/* Whether the receiver would cut too early: the payload holds the delimiter, or its end and the delimiter's
 * beginning make one ("xa" sent with "aa" behind it). */
static bool cuts_early(const struct framing *framing, const unsigned char *payload, size_t size)
{
    size_t overlap = framing->delimiter_size - 1 < size ? framing->delimiter_size - 1 : size;
    unsigned char seam[2 * sizeof framing->delimiter];

    if (memmem(payload, size, framing->delimiter, framing->delimiter_size) != NULL)
        return true;
    if (overlap == 0)
        return false;
    memcpy(seam, payload + size - overlap, overlap);
    memcpy(seam + overlap, framing->delimiter, framing->delimiter_size - 1);
    return memmem(seam, overlap + framing->delimiter_size - 1, framing->delimiter, framing->delimiter_size) !=
           NULL;
}

static int wrap_delimited(const struct framing *framing, const void *payload, size_t size,
                          struct frame_envelope *envelope)
{
    if (size > 0 && cuts_early(framing, payload, size))
        return fail(PARLEY_USAGE, "message of %zu bytes holds the delimiter that ends it", size);
    envelope->suffix = framing->delimiter;
    envelope->suffix_size = framing->delimiter_size;
    return 0;
}

int frame_wrap(const struct framing *framing, const void *payload, size_t size,
               struct frame_envelope *envelope)
{
    envelope->prefix_size = envelope->suffix_size = 0;
    envelope->suffix = NULL;
    if (framing->kind == FRAMING_RAW)
        return 0;
    if (framing->kind == FRAMING_FIXED && size != framing->max)
        return fail(PARLEY_USAGE, "message of %zu bytes, where all have %zu", size, framing->max);
    if (size > framing->max)
        return fail(PARLEY_USAGE, "message of %zu bytes, longer than %zu", size, framing->max);
    switch (framing->kind) {
    case FRAMING_LINE:
    case FRAMING_DELIMITER: return wrap_delimited(framing, payload, size, envelope);
    case FRAMING_U16BE: put_big_endian(envelope, 2, size); return 0;
    case FRAMING_U32BE: put_big_endian(envelope, 4, size); return 0;
    case FRAMING_VARINT: put_varint(envelope, size); return 0;
    default: return 0;
    }
}
