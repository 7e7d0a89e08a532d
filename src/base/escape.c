/* Bytes from outside, made harmless: what a log or a terminal shows of them. */
#include <stdint.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"

enum { ESCAPE_SIZE = 5 }; /* "\xNN" and its NUL */

/* Inclusive ranges of characters that do something other than show themselves. */
static const struct range {
    uint32_t first, last;
} harmful[] = {
    {0x00, 0x1f},           {0x7f, 0x9f},       /* C0, DEL and C1: terminals obey them */
    {0x061c, 0x061c},       {0x200b, 0x200f},   /* invisible, and marks of direction */
    {0x2028, 0x202e},       {0x2060, 0x206f},   /* line ends, overrides and isolates of direction */
    {0xfeff, 0xfeff},       {0xfff9, 0xfffb},   /* byte order mark, interlinear notes */
    {0xfffe, 0xffff},       {0xe0000, 0xe007f}, /* no character; invisible tags */
    {0x110000, UINT32_MAX},
};

static bool is_harmful(uint32_t character)
{
    for (size_t i = 0; i < sizeof harmful / sizeof harmful[0]; i++)
        if (character >= harmful[i].first && character <= harmful[i].last)
            return true;
    return false;
}

/* The smallest character that needs so many bytes: anything below is an overlong spelling. */
static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

static size_t length_of(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc0 || lead >= 0xf8)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t utf8_length(const unsigned char *bytes, size_t size, uint32_t *character)
{
    static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t length = size > 0 ? length_of(bytes[0]) : 0;

    if (length == 0 || length > size)
        return 0;
    *character = bytes[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *character = *character << 6 | (bytes[i] & 0x3f);
    }
    if (*character < smallest[length] || *character > 0x10ffff ||
        (*character >= 0xd800 && *character <= 0xdfff))
        return 0;
    return length;
}

static size_t put_escape(char unit[ESCAPE_SIZE], unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    static const char bytes[] = "\n\r\t\\\"", names[] = "nrt\\\"";
    const char *found = byte != '\0' ? strchr(bytes, byte) : NULL;

    unit[0] = '\\';
    if (found != NULL) {
        unit[1] = names[found - bytes];
        return 2;
    }
    unit[1] = 'x';
    unit[2] = digits[byte >> 4];
    unit[3] = digits[byte & 15];
    return 4;
}

/* Turns the first character or byte into a unit of text that must not be cut. Sets how many bytes it took. */
static size_t put_unit(char unit[ESCAPE_SIZE], const unsigned char *bytes, size_t size, const char *also,
                       size_t *taken)
{
    uint32_t character;
    size_t length = utf8_length(bytes, size, &character);

    *taken = 1;
    if (length == 0 || is_harmful(character) || (length == 1 && strchr(also, (int)character) != NULL))
        return put_escape(unit, bytes[0]);
    memcpy(unit, bytes, length);
    *taken = length;
    return length;
}

size_t escape_bytes(char *text, size_t room, const void *bytes, size_t size, const char *also, size_t *taken)
{
    const unsigned char *from = bytes;
    size_t used = 0, done = 0;

    while (room > 0 && done < size) {
        char unit[ESCAPE_SIZE];
        size_t step, length = put_unit(unit, from + done, size - done, also, &step);

        if (used + length >= room)
            break;
        memcpy(text + used, unit, length);
        used += length;
        done += step;
    }
    if (room > 0)
        text[used] = '\0';
    if (taken != NULL)
        *taken = done;
    return used;
}

void escape_name(char *text, size_t room, const void *bytes, size_t size)
{
    size_t taken;

    escape_bytes(text, room, bytes, size, "\\", &taken);
    if (taken < size)
        *text = '\0';
}

size_t log_escape(char *text, size_t room, const void *bytes, size_t size)
{
    return escape_bytes(text, room, bytes, size, "\\", NULL);
}
