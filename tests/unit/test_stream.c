#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "loopback.h"

enum { BULK = 8 * 1024 * 1024, HUGE_BULK = 4 * BULK };

/* A stream, and the descriptor at its other end. */
static parley_stream *stream;
static int peer;
static struct sys real;

static int meet(void **state)
{
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);
    char text[64];

    (void)state;
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    stream = parley_stream_dial(text, 5000);
    if (stream == NULL)
        return -1;
    assert_string_equal(parley_stream_peer(stream), text);
    peer = accept(listener, NULL, NULL);
    close(listener);
    return 0;
}

static int part(void **state)
{
    (void)state;
    sys = real;
    parley_stream_hang_up(stream);
    close(peer);
    return 0;
}

static void hang_up_by_reset(int fd)
{
    struct linger now = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static unsigned char byte_at(size_t position)
{
    return (unsigned char)(position * 31 + position / 251);
}

/* ---- reading and writing -------------------------------------------------------------------- */

static void carries_bytes_both_ways(void **state)
{
    char bytes[16] = "";

    (void)state;
    assert_int_equal(parley_stream_write(stream, "he\0llo", 6), 0);
    assert_int_equal(recv(peer, bytes, sizeof bytes, 0), 6);
    assert_memory_equal(bytes, "he\0llo", 6);
    assert_int_equal(send(peer, "world", 5, 0), 5);
    assert_int_equal(parley_stream_read(stream, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "world", 5);
    assert_int_equal(parley_stream_write(stream, "", 0), 0);
    assert_int_equal(parley_stream_read_all(stream, bytes, 0), 0);
}

static void *dribble(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < 500; i++) {
        unsigned char byte = byte_at(i);
        send(peer, &byte, 1, MSG_NOSIGNAL);
    }
    shutdown(peer, SHUT_WR);
    return NULL;
}

static void reads_until_enough_or_the_end(void **state)
{
    unsigned char bytes[400];
    pthread_t thread;

    (void)state;
    pthread_create(&thread, NULL, dribble, NULL);
    assert_int_equal(parley_stream_read_all(stream, bytes, 400), 400);
    for (size_t i = 0; i < 400; i++)
        assert_int_equal(bytes[i], byte_at(i));
    assert_int_equal(parley_stream_read_all(stream, bytes, 400), 100);
    assert_int_equal(parley_stream_read_all(stream, bytes, 400), 0);
    assert_int_equal(parley_stream_read(stream, bytes, 400), 0);
    pthread_join(thread, NULL);
}

/* Echoes until the end of input, then says its own. */
static void *echo(void *argument)
{
    static char bytes[65536];
    ssize_t size;

    (void)argument;
    while ((size = recv(peer, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t sent = 0; sent < size;) {
            ssize_t n = send(peer, bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL);
            if (n < 0)
                return NULL;
            sent += n;
        }
    }
    shutdown(peer, SHUT_WR);
    return NULL;
}

static void *write_bulk(void *argument)
{
    assert_int_equal(parley_stream_write(stream, argument, BULK), 0);
    assert_int_equal(parley_stream_half_close(stream), 0);
    return NULL;
}

/* Every other call is interrupted, as by a storm of signals. */
static atomic_uint turn;

static bool is_interrupted(void)
{
    errno = EINTR;
    return atomic_fetch_add(&turn, 1) % 2 == 0;
}

static ssize_t interrupted_recv(int fd, void *bytes, size_t size, int flags)
{
    return is_interrupted() ? -1 : real.recv(fd, bytes, size, flags);
}

static ssize_t interrupted_send(int fd, const void *bytes, size_t size, int flags)
{
    return is_interrupted() ? -1 : real.send(fd, bytes, size, flags);
}

static int interrupted_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return is_interrupted() ? -1 : real.poll(fds, count, timeout);
}

/* Writing in one thread and reading in another is more than the header promises, but the shortest way to
 * fill both directions. */
static void carries_bulk_through_interruptions(void **state)
{
    static unsigned char sent[BULK], received[BULK];
    pthread_t threads[2];

    (void)state;
    for (size_t i = 0; i < BULK; i++)
        sent[i] = byte_at(i);
    sys.recv = interrupted_recv;
    sys.send = interrupted_send;
    sys.poll = interrupted_poll;
    pthread_create(&threads[0], NULL, echo, NULL);
    pthread_create(&threads[1], NULL, write_bulk, sent);
    assert_int_equal(parley_stream_read_all(stream, received, BULK), BULK);
    assert_int_equal(parley_stream_read(stream, received, 1), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_memory_equal(sent, received, BULK);
}

static void half_close_leaves_reading_open(void **state)
{
    char bytes[8];

    (void)state;
    assert_int_equal(parley_stream_half_close(stream), 0);
    assert_int_equal(recv(peer, bytes, sizeof bytes, 0), 0);
    assert_int_equal(send(peer, "late", 4, 0), 4);
    assert_int_equal(parley_stream_read(stream, bytes, sizeof bytes), 4);
    assert_int_equal(parley_stream_write(stream, "x", 1), PARLEY_NETWORK);
    assert_non_null(strstr(parley_error(), "send 127.0.0.1:"));
}

/* ---- failures ------------------------------------------------------------------------------- */

static void reset_is_said(void **state)
{
    char bytes[8];
    char sentence[128];

    (void)state;
    hang_up_by_reset(peer);
    peer = -1;
    snprintf(sentence, sizeof sentence, "recv %s: connection reset by peer", parley_stream_peer(stream));
    assert_int_equal(parley_stream_read(stream, bytes, sizeof bytes), PARLEY_NETWORK);
    assert_string_equal(parley_error(), sentence);
    /* FAULTS D1: the signal's default action would end this program. */
    assert_int_equal(parley_stream_write(stream, "x", 1), PARLEY_NETWORK);
    assert_non_null(strstr(parley_error(), "broken pipe"));
    assert_int_equal(parley_stream_half_close(stream), PARLEY_NETWORK);
}

static void reading_keeps_its_timeout(void **state)
{
    char bytes[8];
    int64_t start = sys.now();

    (void)state;
    assert_int_equal(parley_stream_set_timeout(stream, 200), 0);
    assert_int_equal(parley_stream_read(stream, bytes, sizeof bytes), PARLEY_TIMEOUT);
    assert_non_null(strstr(parley_error(), ": timed out after 200 ms"));
    assert_true(sys.now() - start >= 200);
    /* The bytes of a slow sender do not start the clock again. */
    assert_int_equal(send(peer, "abc", 3, 0), 3);
    start = sys.now();
    assert_int_equal(parley_stream_read_all(stream, bytes, sizeof bytes), PARLEY_TIMEOUT);
    assert_true(sys.now() - start >= 200);
    assert_int_equal(parley_stream_set_timeout(stream, -1), PARLEY_USAGE);
}

static void writing_keeps_its_timeout(void **state)
{
    char *bytes = calloc(1, HUGE_BULK);
    int64_t start = sys.now();

    (void)state;
    assert_int_equal(parley_stream_set_timeout(stream, 200), 0);
    assert_int_equal(parley_stream_write(stream, bytes, HUGE_BULK), PARLEY_TIMEOUT);
    assert_non_null(strstr(parley_error(), "send 127.0.0.1:"));
    assert_true(sys.now() - start >= 200);
    free(bytes);
}

static int shortages;

static ssize_t short_of_memory(int fd, const void *bytes, size_t size, int flags)
{
    if (shortages-- > 0) {
        errno = ENOBUFS;
        return -1;
    }
    return real.send(fd, bytes, size, flags);
}

static void want_of_kernel_memory_passes(void **state)
{
    char bytes[8];

    (void)state;
    sys.send = short_of_memory;
    shortages = 3;
    assert_int_equal(parley_stream_write(stream, "x", 1), 0);
    assert_int_equal(recv(peer, bytes, sizeof bytes, 0), 1);
    shortages = 1000000;
    assert_int_equal(parley_stream_set_timeout(stream, 50), 0);
    assert_int_equal(parley_stream_write(stream, "x", 1), PARLEY_TIMEOUT);
}

static void *no_memory(size_t count, size_t size)
{
    (void)count, (void)size;
    errno = ENOMEM;
    return NULL;
}

static void dialling_may_fail(void **state)
{
    char text[64];
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);

    (void)state;
    assert_null(parley_stream_dial("nonsense", 0));
    assert_non_null(strstr(parley_error(), "port is missing"));
    assert_null(parley_stream_dial(NULL, 0));
    assert_null(parley_stream_dial("127.0.0.1:9", -1));
    snprintf(text, sizeof text, "127.0.0.1:%d", loopback_free_port());
    assert_null(parley_stream_dial(text, 1000));
    assert_non_null(strstr(parley_error(), "connection refused"));
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    sys.calloc = no_memory;
    assert_null(parley_stream_dial(text, 1000));
    assert_non_null(strstr(parley_error(), "cannot allocate memory"));
    sys = real;
    parley_stream_hang_up(NULL);
    close(listener);
}

static int prepare(void **state)
{
    real = sys;
    return remember_baseline(state);
}

#define STREAM_TEST(test) cmocka_unit_test_setup_teardown(test, meet, part)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(carries_bytes_both_ways),
        STREAM_TEST(reads_until_enough_or_the_end),
        STREAM_TEST(carries_bulk_through_interruptions),
        STREAM_TEST(half_close_leaves_reading_open),
        STREAM_TEST(reset_is_said),
        STREAM_TEST(reading_keeps_its_timeout),
        STREAM_TEST(writing_keeps_its_timeout),
        STREAM_TEST(want_of_kernel_memory_passes),
        cmocka_unit_test(dialling_may_fail),
    };

    return cmocka_run_group_tests(tests, prepare, check_baseline);
}
