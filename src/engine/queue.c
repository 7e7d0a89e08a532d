#include "engine/queue.h"
#include "base/sys.h"
#include <string.h>

/* Small messages dominate; a larger one gets a chunk of its own size. */
enum { USUAL_ROOM = 4096 - sizeof(struct chunk), MOST_CACHED = 64 };

static struct chunk *chunk_new(struct chunk_cache *cache, size_t room)
{
    struct chunk *chunk = cache->free;
    if (room <= USUAL_ROOM && chunk) {
        cache->free = chunk->next;
        cache->count--;
    } else {
        room = room < USUAL_ROOM ? USUAL_ROOM : room;
        chunk = sys.malloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
        chunk->room = room;
    }
    chunk->next = NULL;
    chunk->start = chunk->end = chunk->total = 0;
    return chunk;
}

static void chunk_free(struct chunk_cache *cache, struct chunk *chunk)
{
    if (chunk->room != USUAL_ROOM || cache->count == MOST_CACHED) {
        sys.free(chunk);
        return;
    }
    chunk->next = cache->free;
    cache->free = chunk;
    cache->count++;
}

static size_t chunk_fill(struct chunk *chunk, const void *bytes, size_t size)
{
    size_t room = chunk->room - chunk->end;
    size_t filled = size < room ? size : room;
    memcpy(chunk->bytes + chunk->end, bytes, filled);
    chunk->end += filled;
    return filled;
}

int queue_append(struct queue *queue, struct chunk_cache *cache, const void *bytes, size_t size)
{
    struct chunk *tail = queue->head ? queue->head->tail : NULL, *fresh = NULL;
    size_t room = tail ? tail->room - tail->end : 0;
    if (size == 0)
        return 0;
    /* Allocate before the first byte is copied: a failure leaves the queue as it was. */
    if (size > room && !(fresh = chunk_new(cache, size - room)))
        return -1;
    size_t filled = tail ? chunk_fill(tail, bytes, size) : 0;
    if (fresh) {
        chunk_fill(fresh, (const unsigned char *)bytes + filled, size - filled);
        *(tail ? &tail->next : &queue->head) = fresh;
        queue->head->tail = fresh;
    }
    if (queue->head)
        queue->head->total += size;
    return 0;
}

size_t queue_vectors(const struct queue *queue, struct iovec *vectors, size_t most)
{
    size_t count = 0;
    for (struct chunk *chunk = queue->head; chunk && count < most; chunk = chunk->next) {
        vectors[count].iov_base = chunk->bytes + chunk->start;
        vectors[count].iov_len = chunk->end - chunk->start;
        count++;
    }
    return count;
}

/* Frees the first chunk; the next one, if any, takes over what the first knows. */
static void drop_head(struct queue *queue, struct chunk_cache *cache)
{
    struct chunk *sent = queue->head, *next = sent->next;
    if (next) {
        next->tail = sent->tail;
        next->total = sent->total - (sent->end - sent->start);
        next->moved_at = sent->moved_at;
    }
    queue->head = next;
    chunk_free(cache, sent);
}

void queue_drop(struct queue *queue, struct chunk_cache *cache, size_t size)
{
    while (queue->head && size >= queue->head->end - queue->head->start) {
        size -= queue->head->end - queue->head->start;
        drop_head(queue, cache);
    }
    if (queue->head) {
        queue->head->start += size;
        queue->head->total -= size;
    }
}

void queue_clear(struct queue *queue, struct chunk_cache *cache)
{
    while (queue->head)
        drop_head(queue, cache);
}

void chunk_cache_close(struct chunk_cache *cache)
{
    while (cache->free) {
        struct chunk *chunk = cache->free;
        cache->free = chunk->next;
        sys.free(chunk);
    }
    cache->count = 0;
}
