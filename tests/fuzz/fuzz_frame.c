/* One stream, cut into messages whole and in pieces: both must tell the same messages and the same end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "framing/frame.h"

/* What was delivered, as a running hash that also sees where messages end. */
struct heard {
    uint64_t hash;
    size_t count, max;
};

static bool hear(void *context, const void *payload, size_t size)
{
    const unsigned char *bytes = payload;
    struct heard *heard = context;

    if (size > heard->max)
        abort();
    for (size_t i = 0; i < size; i++)
        heard->hash = (heard->hash ^ bytes[i]) * 0x100000001b3u;
    heard->hash = (heard->hash ^ 0x100 ^ size) * 0x100000001b3u;
    heard->count++;
    return heard->count % 3 != 0;
}

/* What a refusal left behind is asked for again, as the engine does. */
static int feed(const struct framing *framing, struct frame **partial, const uint8_t *bytes, size_t size,
                struct heard *heard)
{
    int status = frame_feed(framing, partial, bytes, size, hear, heard);
    size_t count;

    do {
        count = heard->count;
        status = status == 0 ? frame_feed(framing, partial, NULL, 0, hear, heard) : status;
    } while (status == 0 && heard->count > count);
    return status;
}

static int feed_in_pieces(const struct framing *framing, struct frame **partial, const uint8_t *bytes,
                          size_t size, size_t piece, struct heard *heard)
{
    int status = 0;

    for (size_t at = 0; at < size && status == 0; at += piece) {
        piece = piece < size - at ? piece : size - at;
        status = feed(framing, partial, bytes + at, piece, heard);
        if (frame_kept(*partial) > framing->max + 16 && framing->kind != FRAMING_RAW)
            abort();
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *stream = memchr(data, '\n', size);
    struct heard whole = {.max = SIZE_MAX}, pieces = whole;
    struct frame *kept = NULL, *kept_of_pieces = NULL;
    struct framing framing;
    char words[100] = "";
    int status, status_of_pieces;

    if (stream == NULL || (size_t)(stream - data) >= sizeof words)
        return 0;
    memcpy(words, data, (size_t)(stream - data));
    size -= (size_t)(stream - data) + 1;
    stream++;
    if (framing_parse(&framing, words) != 0 || framing.kind == FRAMING_RAW || size == 0)
        return 0;
    whole.max = pieces.max = framing.max;
    status = feed(&framing, &kept, stream, size, &whole);
    status_of_pieces = feed_in_pieces(&framing, &kept_of_pieces, stream, size, 1 + size % 7, &pieces);
    if (status != status_of_pieces || whole.hash != pieces.hash ||
        (status == 0 && frame_kept(kept) != frame_kept(kept_of_pieces)))
        abort();
    frame_finish(&framing, &kept, hear, &whole);
    frame_free(&kept);
    frame_free(&kept_of_pieces);
    return 0;
}
