/* What clients send: messages laid out one behind the other, so that any number of them in a row is one run
 * of bytes, sent without building it. Read by all threads, written by none. */
#ifndef LOAD_MESSAGE_H
#define LOAD_MESSAGE_H

#include "load/plan.h"

struct messages {
    unsigned char *bytes; /* `count` different messages, then the first ones again */
    size_t size;          /* of one; 0: nothing is sent */
    size_t count;         /* different ones: a power of two */
    size_t most;          /* that may be taken in a row, from any one */
};

/* 0 or a parley_status with its sentence. Close it either way. */
int messages_open(struct messages *messages, const struct load_plan *plan);
void messages_close(struct messages *messages);

/* Where message `number` begins; up to `most` of them stand there in a row. */
static inline const unsigned char *messages_from(const struct messages *messages, uint64_t number)
{
    return messages->bytes + (number & (messages->count - 1)) * messages->size;
}

/* Whether these bytes are what stands `position` bytes behind the beginning of message `first`. */
bool messages_match(const struct messages *messages, uint64_t first, uint64_t position, const void *bytes,
                    size_t size);

#endif
