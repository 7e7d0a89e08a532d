/* Base64 with the alphabet and padding of RFC 4648, without line breaks. */
#ifndef LOAD_BASE64_H
#define LOAD_BASE64_H

#include <stddef.h>

/* Allocated text, NULL without memory. */
char *base64_encode(const void *bytes, size_t size);

/* Room that always suffices for what a text of so many characters holds. */
#define BASE64_ROOM(length) ((length) / 4 * 3)

/* Writes what `text` holds to `bytes`, which has BASE64_ROOM, and its size to `*size`. 0, or -1: it has a
 * character of no alphabet, or is cut short. */
int base64_decode(const char *text, void *bytes, size_t *size);

#endif
