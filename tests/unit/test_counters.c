/* More bytes than 32 bits can count (FAULTS B15): the kernel says that it moved them, so that it takes no
 * time. */
#include "serving.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"

/* Whole buffers, since a short read says that there is no more. */
static const uint64_t much = UINT64_C(5) << 30;

/* Shared with worker processes. */
static struct flood {
    atomic_ullong left_in, left_out;       /* what the kernel still claims */
    atomic_ullong counted_in, counted_out; /* by the connection, at its end */
} * flood;
static struct sys real;

/* A byte is left unread, so that there always is something to read. */
static ssize_t claimed_recv(int fd, void *bytes, size_t size, int flags)
{
    unsigned long long left = atomic_load(&flood->left_in);
    (void)fd, (void)bytes, (void)flags;
    size = size < left ? size : (size_t)left;
    atomic_fetch_sub(&flood->left_in, size);
    return (ssize_t)size;
}

static ssize_t claimed(size_t size)
{
    unsigned long long left = atomic_load(&flood->left_out);
    if (left == 0) {
        errno = EPIPE;
        return -1;
    }
    size = size < left ? size : (size_t)left;
    atomic_fetch_sub(&flood->left_out, size);
    return (ssize_t)size;
}

static ssize_t claimed_send(int fd, const void *bytes, size_t size, int flags)
{
    (void)fd, (void)bytes, (void)flags;
    return claimed(size);
}

static ssize_t claimed_sendmsg(int fd, const struct msghdr *message, int flags)
{
    size_t size = 0;
    (void)fd, (void)flags;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    return claimed(size);
}

static void counted(parley_conn *conn, parley_reason reason)
{
    atomic_store(&flood->counted_in, parley_bytes_received(conn));
    atomic_store(&flood->counted_out, parley_bytes_sent(conn));
    saw_closed(conn, reason);
}

static void heard(parley_conn *conn, const void *bytes, size_t size)
{
    (void)bytes;
    saw_received(conn, size);
}

static const parley_handler listener =
    PARLEY_HANDLER(.name = "listener", .state_size = sizeof(struct seen), .opened = saw_opened,
                   .received = heard, .closed = counted);

static void produce(parley_conn *conn)
{
    static const char block[200000];
    parley_send(conn, block, sizeof block);
}

static void produce_first(parley_conn *conn)
{
    saw_opened(conn);
    produce(conn);
}

static const parley_handler producer =
    PARLEY_HANDLER(.name = "producer", .state_size = sizeof(struct seen), .opened = produce_first,
                   .drained = produce, .ended = saw_ended, .closed = counted);

static void received_in(const char *model)
{
    atomic_store(&flood->left_in, much);
    server_start(&listener, model, NULL);
    int fd = client_open();
    client_say(fd, "x", 1);
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(flood->counted_in, much);
    assert_int_equal(witness->bytes, much);
}

/* io_uring receives by itself, which no table sees. */
static void what_is_received_is_counted_beyond_32_bits(void **state)
{
    (void)state;
    in_models("blocking select poll epoll", received_in);
}

static void sent_in(const char *model)
{
    atomic_store(&flood->left_out, much);
    server_start(&producer, model, NULL);
    int fd = client_open();
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    if (flood->counted_out != much)
        fail_msg("%s: %llu", model, (unsigned long long)flood->counted_out);
}

static void what_is_sent_is_counted_beyond_32_bits(void **state)
{
    (void)state;
    in_models(NULL, sent_in);
}

static int prepare(void **state)
{
    flood = mmap(NULL, sizeof *flood, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    real = sys;
    sys.recv = claimed_recv;
    sys.send = claimed_send;
    sys.sendmsg = claimed_sendmsg;
    return serving_prepare(state);
}

static int clean_up(void **state)
{
    sys = real;
    munmap(flood, sizeof *flood);
    return serving_check(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(what_is_received_is_counted_beyond_32_bits),
        SERVER_TEST(what_is_sent_is_counted_beyond_32_bits),
    };

    return cmocka_run_group_tests(tests, prepare, clean_up);
}
