#include "command/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies or, with `out` NULL, only measures. */
static size_t expand(const char *text, const char *number, char *out)
{
    size_t size = 0;
    while (*text != '\0') {
        bool is_number = text[0] == '%' && text[1] == 'd';
        bool is_percent = text[0] == '%' && text[1] == '%';
        const char *piece = is_number ? number : text;
        size_t length = is_number ? strlen(number) : 1;
        if (out != NULL)
            memcpy(out + size, piece, length);
        size += length;
        text += is_number || is_percent ? 2 : 1;
    }
    return size;
}

char *script_message(const char *text, uint64_t number, size_t *size)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    *size = expand(text, digits, NULL);
    char *message = malloc(*size + 1);
    if (message != NULL) {
        expand(text, digits, message);
        message[*size] = '\0';
    }
    return message;
}

size_t line_ends_expand(struct line_ends *state, const char *bytes, size_t size, char *out)
{
    char *to = out;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n' && !state->after_return)
            *to++ = '\r';
        *to++ = bytes[i];
        state->after_return = bytes[i] == '\r';
    }
    return (size_t)(to - out);
}

static void until_next_line(struct until *until)
{
    until->matched = 0;
    until->differs = false;
    until->returned = false;
}

static void until_byte(struct until *until, char byte)
{
    if (until->differs)
        return;
    if (!until->returned && until->text[until->matched] != '\0' && until->text[until->matched] == byte)
        until->matched++;
    else if (byte == '\r' && !until->returned && until->text[until->matched] == '\0')
        until->returned = true;
    else
        until->differs = true;
}

bool until_feed(struct until *until, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && until->text != NULL && !until->seen; i++) {
        if (bytes[i] != '\n') {
            until_byte(until, bytes[i]);
        } else {
            until->seen = !until->differs && until->text[until->matched] == '\0';
            until_next_line(until);
        }
    }
    return until->seen;
}

bool until_is_whole(const struct until *until)
{
    return until->text != NULL && !until->seen && until->matched > 0 && !until->differs &&
           until->text[until->matched] == '\0';
}
