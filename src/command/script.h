/* The scripted side of a conversation: what --send says, and what --until waits for. */
#ifndef COMMAND_SCRIPT_H
#define COMMAND_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text of message `number`: %d stands for the number, %% for a percent sign, and everything else for
 * itself: `text` is never a format. Allocated, `*size` bytes and a NUL; NULL without memory. */
char *script_message(const char *text, uint64_t number, size_t *size);

/* LF to CR LF; an LF that already follows a CR stays. */
struct line_ends {
    bool after_return; /* the last byte of the call before was a CR */
};
/* Writes the changed bytes to `out`, which has room for twice `size`, and returns how many. */
size_t line_ends_expand(struct line_ends *state, const char *bytes, size_t size, char *out);

/* Waits for a line that equals a text, however the stream is cut. Zeroed but for `text`. */
struct until {
    const char *text; /* NULL: waits for nothing */
    size_t matched;   /* bytes of the line so far that equal the text */
    bool differs;     /* the line so far is another one */
    bool returned;    /* a CR stands after the text: the LF may follow */
    bool seen;
};

/* True once the line has been seen. */
bool until_feed(struct until *until, const char *bytes, size_t size);
/* Whether the line that has begun is, so far, exactly the text. */
bool until_is_whole(const struct until *until);

#endif
