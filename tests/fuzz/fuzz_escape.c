/* Escaped text is printable, valid UTF-8, and in any room a prefix of what it is with room enough. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"

static void check_harmless(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    uint32_t character;

    for (size_t step; length > 0; bytes += step, length -= step) {
        step = utf8_length(bytes, length, &character);
        if (step == 0 || character < 0x20 || (character >= 0x7f && character < 0xa0) ||
            (character >= 0x202a && character <= 0x202e))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = 4 * size + 1, small = size > 0 ? data[0] : 0;
    char *text = malloc(room), *cut = malloc(small + 1);
    size_t length = log_escape(text, room, data, size), cut_length, taken;

    if (length != strlen(text) || length >= room)
        abort();
    check_harmless(text, length);
    cut_length = escape_bytes(cut, small, data, size, "\\", &taken);
    if (taken > size || cut_length > length || (small > 0 && cut_length >= small) ||
        memcmp(cut, text, cut_length) != 0)
        abort();
    check_harmless(cut, cut_length);
    free(text);
    free(cut);
    return 0;
}
