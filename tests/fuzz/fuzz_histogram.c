/* Whatever is given as a histogram: a sentence, and nothing changed; or counters that say the same when they
 * are written and read again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <parley.h>

#include "load/base64.h"
#include "load/histogram.h"

static void check(const struct histogram *read)
{
    struct histogram again;
    char *text = histogram_encode(read);
    uint64_t sum = 0;

    for (size_t i = 0; i < HISTOGRAM_COUNTERS; i++)
        sum += read->counts[i];
    assert(sum == read->total && read->most <= (uint64_t)HISTOGRAM_MOST);
    assert(histogram_open(&again) == 0 && histogram_decode(&again, text) == 0);
    assert(memcmp(again.counts, read->counts, HISTOGRAM_COUNTERS * sizeof *read->counts) == 0);
    assert(again.total == read->total && again.least == read->least && again.most == read->most);
    histogram_close(&again);
    free(text);
}

static void decode(const char *text)
{
    struct histogram histogram;

    assert(histogram_open(&histogram) == 0);
    if (histogram_decode(&histogram, text) == 0)
        check(&histogram);
    else
        assert(histogram.total == 0 && histogram.least == UINT64_MAX && strchr(parley_error(), '\n') == NULL);
    histogram_close(&histogram);
}

/* The same bytes behind zlib and base64, which no mutation gets past. */
static void decode_wrapped(const uint8_t *payload, size_t size)
{
    static const unsigned char cookie[] = {0x1c, 0x84, 0x93, 0x14};
    uLongf packed = compressBound(size);
    unsigned char *whole = malloc(8 + packed);
    char *text;

    assert(compress2(whole + 8, &packed, payload, size, 1) == Z_OK);
    memcpy(whole, cookie, sizeof cookie);
    for (int i = 0; i < 4; i++)
        whole[4 + i] = (unsigned char)(packed >> (24 - 8 * i));
    text = base64_encode(whole, 8 + packed);
    decode(text);
    free(text);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    decode(text);
    decode_wrapped(data, size);
    free(text);
    return 0;
}
