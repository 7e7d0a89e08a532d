/* `--dump`: what passes in both directions, as hex and text with the time. */
#ifndef COMMAND_DUMP_H
#define COMMAND_DUMP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum dump_direction { DUMP_RECEIVED, DUMP_SENT };

struct dump {
    FILE *out;          /* NULL: off */
    uint64_t passed[2]; /* bytes so far, by direction: the offsets shown */
};

/* Bytes in a line, and room for the longest line with its end. */
enum { DUMP_WIDTH = 16, DUMP_ROOM = 96 };

/* One line without a newline: "00000010  68 65 6c 6c 6f …  |hello|". `count` is at most DUMP_WIDTH. */
void dump_line(char line[DUMP_ROOM], uint64_t offset, const unsigned char *bytes, size_t count);

/* "02:30:00.123456 sent 5 bytes to PEER" (or "received … from"), then its lines. */
void dump_bytes(struct dump *dump, enum dump_direction direction, const char *peer, const void *bytes,
                size_t size);

#endif
