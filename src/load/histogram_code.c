/* HdrHistogram's V2 encoding, compressed and in base64.
 *
 * Inside is a header of 40 bytes and the counters from the first to the last in use, as zig-zag LEB128
 * numbers; a negative one stands for so many empty counters. Around it are a cookie, a length, and zlib. */
#include "base/error.h"
#include "load/base64.h"
#include "load/histogram.h"
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* The 1 in front of the last digit says that counters are numbers of variable length. */
#define COOKIE UINT32_C(0x1c849313)
#define COMPRESSED_COOKIE UINT32_C(0x1c849314)

enum {
    DIGITS = 3,
    MOST_NUMBER = 9, /* bytes of a counter */
    HEADER = 40,
    MOST_PAYLOAD = HEADER + HISTOGRAM_COUNTERS * MOST_NUMBER,
    WRAPPING = 8, /* a cookie and a length */
    MOST_TEXT = 2 * MOST_PAYLOAD
};

/* All numbers in headers are big-endian. */
struct header {
    uint32_t cookie, counters_size, index_offset, digits;
    uint64_t least_value, most_value;
    uint64_t ratio; /* a double that values are multiplied with: 1.0 */
};
_Static_assert(sizeof(struct header) == HEADER, "the header has no holes");
static const uint64_t ratio_of_one = UINT64_C(0x3ff0000000000000);

/* ---- writing ---- */

/* Small numbers of either sign become small ones, and each byte takes seven bits of them, the ninth eight. */
static unsigned char *put_number(unsigned char *at, int64_t number)
{
    uint64_t rest = number < 0 ? ~((uint64_t)number << 1) : (uint64_t)number << 1;
    for (int i = 1; i < MOST_NUMBER && rest > 0x7f; i++, rest >>= 7)
        *at++ = (unsigned char)(rest | 0x80);
    *at++ = (unsigned char)rest;
    return at;
}

static unsigned char *put_counters(unsigned char *at, const struct histogram *histogram)
{
    uint32_t end = histogram_index(histogram->most) + 1;
    for (uint32_t i = 0, first; i < end;) {
        for (first = i; i < end && histogram->counts[i] == 0;)
            i++;
        if (i == first)
            at = put_number(at, (int64_t)histogram->counts[i++]);
        else
            at = put_number(at, i - first == 1 ? 0 : -(int64_t)(i - first));
    }
    return at;
}

static size_t put_payload(unsigned char *payload, const struct histogram *histogram)
{
    size_t size = (size_t)(put_counters(payload + HEADER, histogram) - payload);
    struct header header = {.cookie = htobe32(COOKIE),
                            .counters_size = htobe32((uint32_t)(size - HEADER)),
                            .digits = htobe32(DIGITS),
                            .least_value = htobe64(1),
                            .most_value = htobe64(HISTOGRAM_MOST),
                            .ratio = htobe64(ratio_of_one)};
    memcpy(payload, &header, HEADER);
    return size;
}

static char *wrap(const unsigned char *payload, size_t size)
{
    uLongf packed = compressBound(size);
    unsigned char *whole = malloc(WRAPPING + packed);
    char *text = NULL;
    if (whole && compress(whole + WRAPPING, &packed, payload, size) == Z_OK) {
        uint32_t wrapping[] = {htobe32(COMPRESSED_COOKIE), htobe32((uint32_t)packed)};
        memcpy(whole, wrapping, WRAPPING);
        text = base64_encode(whole, WRAPPING + packed);
    }
    free(whole);
    return text;
}

char *histogram_encode(const struct histogram *histogram)
{
    unsigned char *payload = malloc(MOST_PAYLOAD);
    char *text = payload ? wrap(payload, put_payload(payload, histogram)) : NULL;
    free(payload);
    return text;
}

/* ---- reading ---- */

/* Returns what follows the number; NULL when the bytes end in it. */
static const unsigned char *take_number(const unsigned char *at, const unsigned char *end, int64_t *number)
{
    uint64_t bits = 0;
    int taken = 0;
    do {
        if (at == end)
            return NULL;
        bits |= (uint64_t)(taken == MOST_NUMBER - 1 ? *at : *at & 0x7f) << 7 * taken;
    } while (*at++ & 0x80 && ++taken < MOST_NUMBER);
    *number = (int64_t)(bits >> 1 ^ -(bits & 1));
    return at;
}

static int take_counters(struct histogram *into, const unsigned char *at, const unsigned char *end)
{
    uint64_t index = 0;
    while (at < end) {
        int64_t number;
        if (!(at = take_number(at, end, &number)))
            return fail(PARLEY_USAGE, "a histogram ends in the middle of a counter");
        if (number <= 0) {
            index += number == 0 ? 1 : -(uint64_t)number;
        } else if (index > histogram_index(HISTOGRAM_MOST)) {
            return fail(PARLEY_USAGE, "a histogram counts times above 24 hours");
        } else {
            if (into->total + (uint64_t)number > INT64_MAX)
                return fail(PARLEY_USAGE, "a histogram counts more than can be");
            uint64_t highest = histogram_highest((uint32_t)index);
            histogram_record_many(into, histogram_lowest((uint32_t)index), (uint64_t)number);
            into->most = highest < HISTOGRAM_MOST ? highest : HISTOGRAM_MOST;
            index++;
        }
        if (index > HISTOGRAM_COUNTERS)
            return fail(PARLEY_USAGE, "a histogram counts times above 24 hours");
    }
    return 0;
}

static int take_payload(struct histogram *into, const unsigned char *payload, size_t size)
{
    struct header header;
    if (size < HEADER)
        return fail(PARLEY_USAGE, "a histogram ends in its header");
    memcpy(&header, payload, HEADER);
    if (be32toh(header.cookie) != COOKIE)
        return fail(PARLEY_USAGE, "no histogram of HdrHistogram's V2 encoding: its cookie is %#x, not %#x",
                    be32toh(header.cookie), COOKIE);
    if (be32toh(header.digits) != DIGITS || be64toh(header.least_value) != 1)
        return fail(PARLEY_USAGE,
                    "a histogram of %u significant digits from %llu on: only 3 digits from 1 on are read",
                    be32toh(header.digits), (unsigned long long)be64toh(header.least_value));
    if (header.index_offset != 0 || be64toh(header.ratio) != ratio_of_one)
        return fail(PARLEY_USAGE, "a histogram whose values are shifted or scaled is not read");
    if (be32toh(header.counters_size) != size - HEADER)
        return fail(PARLEY_USAGE, "a histogram says that its counters take %u bytes, and they take %zu",
                    be32toh(header.counters_size), size - HEADER);
    return take_counters(into, payload + HEADER, payload + size);
}

/* What was recorded before is not touched until all of the text is known to be good. */
static int take_payload_whole(struct histogram *into, const unsigned char *payload, size_t size)
{
    struct histogram held;
    if (histogram_open(&held) < 0)
        return fail(PARLEY_RESOURCE, "no memory for a histogram");
    int status = take_payload(&held, payload, size);
    if (status == 0 && into->total + held.total > INT64_MAX)
        status = fail(PARLEY_USAGE, "a histogram counts more than can be");
    if (status == 0)
        histogram_add(into, &held);
    histogram_close(&held);
    return status;
}

/* The room is what the largest histogram takes: a text that unpacks to more is refused, not unpacked. */
static int unpack(struct histogram *into, const unsigned char *packed, size_t size)
{
    uLongf payload_size = MOST_PAYLOAD;
    unsigned char *payload = malloc(MOST_PAYLOAD);
    int status = PARLEY_RESOURCE;
    int error = payload ? uncompress(payload, &payload_size, packed, size) : Z_MEM_ERROR;
    if (error == Z_OK)
        status = take_payload_whole(into, payload, payload_size);
    else if (error == Z_MEM_ERROR)
        fail(PARLEY_RESOURCE, "no memory for a histogram");
    else
        status = fail(PARLEY_USAGE, "a histogram cannot be unpacked: %s",
                      error == Z_BUF_ERROR ? "it is cut short, or too large" : "it is damaged");
    free(payload);
    return status;
}

static int unwrap(struct histogram *into, const unsigned char *whole, size_t size)
{
    uint32_t wrapping[2];
    if (size < WRAPPING)
        return fail(PARLEY_USAGE, "a histogram ends in its header");
    memcpy(wrapping, whole, WRAPPING);
    if (be32toh(wrapping[0]) != COMPRESSED_COOKIE)
        return fail(PARLEY_USAGE,
                    "no compressed histogram of HdrHistogram's V2 encoding: its cookie is %#x, not %#x",
                    be32toh(wrapping[0]), COMPRESSED_COOKIE);
    if (be32toh(wrapping[1]) != size - WRAPPING)
        return fail(PARLEY_USAGE, "a histogram says that it has %u bytes, and it has %zu",
                    be32toh(wrapping[1]), size - WRAPPING);
    return unpack(into, whole + WRAPPING, size - WRAPPING);
}

int histogram_decode(struct histogram *into, const char *text)
{
    size_t length = strlen(text), size = 0;
    if (length > MOST_TEXT)
        return fail(PARLEY_USAGE, "%zu characters are too many for a histogram", length);
    unsigned char *whole = malloc(BASE64_ROOM(length) + 1);
    if (!whole)
        return fail(PARLEY_RESOURCE, "no memory for a histogram");
    int status = base64_decode(text, whole, &size) < 0
                     ? fail(PARLEY_USAGE, "a histogram is cut short or no base64")
                     : unwrap(into, whole, size);
    free(whole);
    return status;
}
