#include "text/neutralise.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t escape(const unsigned char *bytes, size_t size, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *text++ = '\\';
        *text++ = 'x';
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    return 4 * size;
}

/* How many bytes the character that begins with `byte` has; 0 when none can. */
static unsigned length_of(unsigned char byte)
{
    if (byte < 0x80)
        return 1;
    if (byte < 0xc2 || byte > 0xf4)
        return 0;
    return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* Whether `byte` may follow what is kept. The second byte decides about overlong forms, surrogates and
 * what lies beyond U+10FFFF. */
static bool continues(const struct neutraliser *state, unsigned char byte)
{
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (state->kept_size == 1) {
        switch (state->kept[0]) {
        case 0xe0: low = 0xa0; break;
        case 0xed: high = 0x9f; break;
        case 0xf0: low = 0x90; break;
        case 0xf4: high = 0x8f; break;
        default: break;
        }
    }
    return byte >= low && byte <= high;
}

static uint32_t decode(const unsigned char *bytes, unsigned size)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = bytes[0] & masks[size];
    for (unsigned i = 1; i < size; i++)
        character = character << 6 | (bytes[i] & 0x3f);
    return character;
}

static bool is_harmless(uint32_t c)
{
    if (c < 0x20)
        return c == '\n' || c == '\t' || c == '\r';
    bool control = c >= 0x7f && c <= 0x9f;
    bool direction = c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x206f);
    bool invisible = c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
    return !control && !direction && !invisible;
}

/* The kept bytes are a whole character. */
static size_t emit(struct neutraliser *state, char *text)
{
    unsigned size = state->kept_size;
    state->kept_size = 0;
    if (!is_harmless(decode(state->kept, size)))
        return escape(state->kept, size, text);
    memcpy(text, state->kept, size);
    return size;
}

size_t neutralise(struct neutraliser *state, const void *bytes, size_t size, char *text)
{
    const unsigned char *from = bytes;
    char *to = text;
    for (size_t i = 0; i < size; i++) {
        if (state->kept_size > 0 && !continues(state, from[i]))
            to += neutralise_end(state, to);
        if (state->kept_size == 0 && (state->expected = (unsigned char)length_of(from[i])) == 0) {
            to += escape(from + i, 1, to);
            continue;
        }
        state->kept[state->kept_size++] = from[i];
        if (state->kept_size == state->expected)
            to += emit(state, to);
    }
    return (size_t)(to - text);
}

size_t neutralise_end(struct neutraliser *state, char *text)
{
    size_t size = escape(state->kept, state->kept_size, text);
    state->kept_size = 0;
    return size;
}

char *neutralise_text(const char *text)
{
    struct neutraliser state = {0};
    size_t size = strlen(text);
    char *safe = malloc(NEUTRALISED_ROOM(size) + 1);
    if (safe == NULL)
        return NULL;
    size_t used = neutralise(&state, text, size, safe);
    used += neutralise_end(&state, safe + used);
    safe[used] = '\0';
    return safe;
}
