#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"
#include "engine/queue.h"

enum { WHOLE = 4 << 20, MOST_VECTORS = 64 };

static struct sys real;
static long blocks; /* allocated and not freed */
static long allowed = -1;

static void *counted_malloc(size_t size)
{
    if (allowed == 0) {
        errno = ENOMEM;
        return NULL;
    }
    allowed -= allowed > 0;
    blocks++;
    return malloc(size);
}

static void counted_free(void *memory)
{
    blocks -= memory != NULL;
    free(memory);
}

static struct queue queue;
static struct chunk_cache cache;

static int prepare(void **state)
{
    (void)state;
    real = sys;
    sys.malloc = counted_malloc;
    sys.free = counted_free;
    allowed = -1;
    blocks = 0;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    queue_clear(&queue, &cache);
    chunk_cache_close(&cache);
    sys = real;
    assert_null(queue.head);
    assert_int_equal(cache.count, 0);
    return blocks != 0;
}

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 131 + position / 509);
}

static void append(size_t position, size_t size)
{
    static unsigned char bytes[1 << 18];

    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(position + i);
    assert_int_equal(queue_append(&queue, &cache, bytes, size), 0);
}

/* Reads what waits, as a poller would, from `position` of the stream on. */
static size_t check_vectors(size_t position, size_t most)
{
    struct iovec vectors[MOST_VECTORS];
    size_t count = queue_vectors(&queue, vectors, most);
    size_t seen = 0;

    for (size_t i = 0; i < count; i++) {
        const unsigned char *bytes = vectors[i].iov_base;
        assert_true(vectors[i].iov_len > 0);
        for (size_t j = 0; j < vectors[i].iov_len; j++) {
            assert_int_equal(bytes[j], byte_at(position + seen));
            seen++;
        }
    }
    return seen;
}

static void is_empty_at_first(void **state)
{
    struct iovec vector;

    (void)state;
    assert_int_equal(queue_size(&queue), 0);
    assert_int_equal(queue_vectors(&queue, &vector, 1), 0);
    assert_int_equal(queue_append(&queue, &cache, "", 0), 0);
    assert_null(queue.head);
    queue_drop(&queue, &cache, 0);
    queue_clear(&queue, &cache);
}

/* Any sizes appended and dropped in any order: the stream comes out as it went in. */
static void keeps_the_stream(void **state)
{
    size_t in = 0;
    size_t out = 0;

    (void)state;
    srandom(20);
    while (out < WHOLE) {
        size_t size = (size_t)random() % 3 == 0 ? (size_t)random() % 20000 : (size_t)random() % 300;
        if (in < WHOLE && random() % 5 != 0) {
            append(in, size);
            in += size;
        }
        assert_int_equal(queue_size(&queue), in - out);
        assert_true(check_vectors(out, 1 + (size_t)random() % MOST_VECTORS) <= in - out);
        size = in > out ? (size_t)random() % (in - out + 1) : 0;
        size = random() % 4 == 0 || in >= WHOLE ? size : size % 500;
        size = in >= WHOLE && in - out < 100 ? in - out : size;
        queue_drop(&queue, &cache, size);
        out += size;
        assert_int_equal(queue_size(&queue), in - out);
    }
}

/* The kernel may hold what was handed out: appending behind it moves nothing. */
static void queued_bytes_never_move(void **state)
{
    struct iovec before;
    struct iovec after;

    (void)state;
    append(0, 100);
    assert_int_equal(queue_vectors(&queue, &before, 1), 1);
    for (size_t position = 100; position < 200000; position += 1000)
        append(position, 1000);
    assert_int_equal(queue_vectors(&queue, &after, 1), 1);
    assert_ptr_equal(before.iov_base, after.iov_base);
    queue_drop(&queue, &cache, 50);
    assert_int_equal(queue_vectors(&queue, &after, 1), 1);
    assert_ptr_equal((char *)before.iov_base + 50, after.iov_base);
}

static void an_idle_queue_holds_nothing(void **state)
{
    (void)state;
    append(0, 200000);
    queue_drop(&queue, &cache, 200000);
    assert_null(queue.head);
    append(0, 10);
    queue_drop(&queue, &cache, 10);
    assert_null(queue.head);
}

/* The cache is bounded, and holds no chunk of an unusual size. */
static void the_cache_is_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        append((size_t)i * 4000, 4000);
    queue_clear(&queue, &cache);
    assert_in_range(cache.count, 1, 64);
    assert_int_equal(blocks, cache.count);
    append(0, 100000);
    queue_clear(&queue, &cache);
    assert_int_equal(blocks, cache.count);
}

static void without_memory_nothing_is_changed(void **state)
{
    unsigned char bytes[9000] = {0};

    (void)state;
    append(0, 3000);
    allowed = 0;
    assert_int_equal(queue_append(&queue, &cache, bytes, sizeof bytes), -1);
    assert_int_equal(queue_size(&queue), 3000);
    assert_int_equal(check_vectors(0, MOST_VECTORS), 3000);
    allowed = 1;
    append(3000, 9000);
    assert_int_equal(check_vectors(0, MOST_VECTORS), 12000);
    queue_clear(&queue, &cache);
    allowed = 0;
    while (cache.count > 0)
        append(0, 4000);
    assert_int_equal(queue_append(&queue, &cache, bytes, sizeof bytes), -1);
    allowed = -1;
}

#define QUEUE_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(is_empty_at_first),       QUEUE_TEST(keeps_the_stream),
        QUEUE_TEST(queued_bytes_never_move), QUEUE_TEST(an_idle_queue_holds_nothing),
        QUEUE_TEST(the_cache_is_bounded),    QUEUE_TEST(without_memory_nothing_is_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
