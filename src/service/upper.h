/* Upper case for `serve upper`, and the line that ends the conversation. */
#ifndef SERVICE_UPPER_H
#define SERVICE_UPPER_H

#include <stdbool.h>
#include <stddef.h>

/* How much of "end" the line has shown so far; all zero at the start of a line. A line may come in
 * pieces. */
struct upper {
    unsigned char matched;
};

/* Writes `bytes` with a-z as A-Z to `answer`, all other bytes as they are, so UTF-8 may be split
 * anywhere. Returns how many to answer: all, or up to the end of the line "end" (LF or CR LF), or of
 * a message that is "end" and nothing else; then `*over` is set. */
size_t upper_convert(struct upper *upper, const char *bytes, size_t size, char *answer, bool *over);

#endif
