/* How `explain` writes one line, and its parts: each puts its narrators into `sys`. */
#ifndef EXPLAIN_NARRATION_H
#define EXPLAIN_NARRATION_H

#include <parley.h>

#include "base/sys.h"

/* The table as it was before the narrators: what they call. */
extern struct sys plain_sys;

/* A line in the making, on the narrator's stack: locks would not survive a fork. */
struct narration {
    int error;         /* errno as the real call left it, and as the caller will find it */
    const char *name;  /* of the call */
    char call[256];    /* as it would stand in a program: "listen(3, 5)" */
    char meaning[400]; /* what it means; empty: what `error` says */
};

/* Right after the real call. */
void narration_begin(struct narration *narration, const char *name);
/* The arguments: appended to the call. */
void narration_call(struct narration *narration, const char *format, ...) PARLEY_PRINTF(2, 3);
/* Bytes as a C string, the first few of them, appended to the call. */
void narration_bytes(struct narration *narration, const void *bytes, size_t size);
void narration_mean(struct narration *narration, const char *format, ...) PARLEY_PRINTF(2, 3);
/* What a failure means, in words. */
void narration_mean_error(struct narration *narration, const char *call, int error);
/* Writes the line with the result, -1 as the error's name, and puts errno back. */
void narration_say(struct narration *narration, long result);
/* Writes a call that is about to sleep, before it does. */
void narration_say_sleep(struct narration *narration);
/* Writes two columns as they are. */
void narration_write(const char *call, const char *meaning);

/* Makes lines for people: comments dimmed when a terminal shows them. */
void narration_open(void);

/* Whether the descriptor makes its caller wait, and would do so now. */
bool would_sleep(int fd, short events, int flags);

/* Remembers that this process made the descriptor, or that a fork copied those it has. */
void descriptor_made(int fd);
void descriptors_copied(bool in_child);
/* Whether another process has the descriptor too, and lives on with it. */
bool descriptor_is_copy(int fd, bool listens);

/* Whether a fork gave it to this process, its child. */
bool descriptor_is_inherited(int fd);

void explain_sockets(struct sys *table);
void explain_bytes(struct sys *table);
void explain_waits(struct sys *table);

#endif
