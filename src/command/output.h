/* Standard output of a conversation: never blocked on, never cut short.
 *
 * What a slow reader does not take yet is kept; the conversation holds the peer back meanwhile, and writes on
 * when `gate` becomes readable. */
#ifndef COMMAND_OUTPUT_H
#define COMMAND_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
    int fd;
    int gate;      /* an epoll that is readable when `fd` takes bytes; -1: `fd` never makes us wait */
    char *pending; /* not written yet: from `start` to `end` */
    size_t start, end, room;
    bool is_terminal;
    bool mid_line; /* the last byte was no line feed */
};

/* 0, or -1 and errno: so for each of these. */
int output_open(struct output *output, int fd);
/* Writes what can be written now and keeps the rest. */
int output_write(struct output *output, const void *bytes, size_t size);
/* Writes on. */
int output_continue(struct output *output);
/* Waits until everything is written. */
int output_finish(struct output *output);
/* Whether bytes are kept. */
bool output_is_behind(const struct output *output);
/* Closes the gate and `fd` itself, so that a failure only close(2) tells is not missed. */
int output_close(struct output *output);

#endif
