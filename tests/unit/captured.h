/* Descriptor 2 turned into a pipe, so that a test can read what was said. */
#ifndef CAPTURED_H
#define CAPTURED_H

#include <stddef.h>

struct captured {
    int reader, saved;
};

void capture_stderr(struct captured *captured);
/* Everything written so far, as text; "" when there is nothing. */
void read_captured(const struct captured *captured, char *text, size_t size);
void release_stderr(struct captured *captured);

#endif
