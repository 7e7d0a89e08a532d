#include "load/base64.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Up to three bytes become four characters. */
static void encode_group(const unsigned char *bytes, size_t size, char *text)
{
    uint32_t group = (uint32_t)bytes[0] << 16;
    if (size > 1)
        group |= (uint32_t)bytes[1] << 8;
    if (size > 2)
        group |= bytes[2];
    for (size_t i = 0; i < 4; i++)
        text[i] = i <= size ? alphabet[group >> (18 - 6 * i) & 63] : '=';
}

char *base64_encode(const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    char *text = malloc((size + 2) / 3 * 4 + 1);
    if (!text)
        return NULL;
    char *at = text;
    for (size_t i = 0; i < size; i += 3, at += 4)
        encode_group(from + i, size - i, at);
    *at = '\0';
    return text;
}

/* 0 to 63, or -1. */
static int value_of(char character)
{
    const char *found = character ? strchr(alphabet, character) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

/* Four characters, of which the last `padding` stand for nothing. */
static int decode_group(const char *text, size_t padding, unsigned char *bytes)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(text[i]) : 0;
        if (value < 0)
            return -1;
        group = group << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < 3 - padding; i++)
        bytes[i] = (unsigned char)(group >> (16 - 8 * i));
    return 0;
}

int base64_decode(const char *text, void *bytes, size_t *size)
{
    size_t length = strlen(text), padding = 0;
    unsigned char *to = bytes;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    if (length % 4 != 0)
        return -1;
    for (size_t i = 0; i < length; i += 4, to += 3)
        if (decode_group(text + i, i + 4 == length ? padding : 0, to) < 0)
            return -1;
    *size = length / 4 * 3 - padding;
    return 0;
}
