/* What a peer sent, made safe to show on a terminal: it can neither move the cursor, nor set the title or the
 * clipboard, nor turn the reading order round. */
#ifndef TEXT_NEUTRALISE_H
#define TEXT_NEUTRALISE_H

#include <stddef.h>

/* A character that is not whole yet, kept from one call to the next. Zeroed at first. */
struct neutraliser {
    unsigned char kept[4];
    unsigned char kept_size;
    unsigned char expected; /* bytes of the whole character */
};

/* Room that always suffices: each byte may become "\xNN", and up to 3 were kept. */
#define NEUTRALISED_ROOM(size) (4 * ((size) + 3))

/* Writes the safe form of `bytes` to `text` and returns its length. Line feed, tab, carriage return and
 * well-formed UTF-8 pass; other control bytes, C1, bidirectional and invisible controls and whatever is no
 * UTF-8 become \xNN, byte for byte. A character may be split anywhere between calls. */
size_t neutralise(struct neutraliser *state, const void *bytes, size_t size, char *text);

/* No more comes: what was kept, escaped. `text` has room for 12. */
size_t neutralise_end(struct neutraliser *state, char *text);

/* The safe form of a whole text: allocated; NULL without memory. */
char *neutralise_text(const char *text);

#endif
