/* Bytes waiting to be sent on one connection. Queued bytes never move, so the kernel may hold them. */
#ifndef ENGINE_QUEUE_H
#define ENGINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A run of bytes; what is between `start` and `end` waits. The first of a queue knows what concerns
 * the whole of it: an idle connection pays for one empty pointer only. */
struct chunk {
    struct chunk *next;
    struct chunk *tail;
    size_t total;
    int64_t moved_at; /* ms: when the queue began, or the kernel last took bytes of it */
    size_t start, end, room;
    unsigned char bytes[];
};

/* Free chunks of the usual size, kept by the loop for its connections. */
struct chunk_cache {
    struct chunk *free;
    unsigned count;
};

struct queue {
    struct chunk *head;
};

/* Bytes that wait. */
static inline size_t queue_size(const struct queue *queue)
{
    return queue->head ? queue->head->total : 0;
}

/* Of one that is not empty. */
static inline int64_t queue_moved_at(const struct queue *queue)
{
    return queue->head->moved_at;
}
/* It has begun, or bytes were taken of it. */
static inline void queue_moved(struct queue *queue, int64_t now)
{
    if (queue->head)
        queue->head->moved_at = now;
}

/* Copies `size` bytes to the end: 0, or -1 without memory (the queue is then unchanged). */
int queue_append(struct queue *queue, struct chunk_cache *cache, const void *bytes, size_t size);
/* Fills up to `most` vectors with the oldest bytes; returns how many. */
size_t queue_vectors(const struct queue *queue, struct iovec *vectors, size_t most);
/* Forgets the oldest `size` bytes, which the kernel has taken. */
void queue_drop(struct queue *queue, struct chunk_cache *cache, size_t size);
void queue_clear(struct queue *queue, struct chunk_cache *cache);
void chunk_cache_close(struct chunk_cache *cache);

#endif
