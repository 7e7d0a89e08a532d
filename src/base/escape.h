/* Escaping, for the log and for `explain`; log_escape() is its public face in the engine. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <parley.h>

/* As log_escape(), which escapes the backslash; `also` names the printable ASCII to escape besides control
 * bytes: "\\\"" inside quotes, "" for text whose backslashes are its own. Sets how many bytes were
 * taken, fewer than `size` when the room was short; NULL is allowed. Never cuts a character or an escape. */
size_t escape_bytes(char *text, size_t room, const void *bytes, size_t size, const char *also, size_t *taken);

/* The same of a name, which is told whole or not at all: what is left of it would be another's. */
void escape_name(char *text, size_t room, const void *bytes, size_t size);

/* Length of the whole, valid UTF-8 character at the front and which it is; 0 when there is none. */
size_t utf8_length(const unsigned char *bytes, size_t size, uint32_t *character);

#endif
