/* Connections that a loop makes itself, under each poller that can, and the pace a loop keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka needs the four above it */
#include <cmocka.h>

#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "load/clock.h"
#include "loopback.h"
#include "net/resolve.h"
#include "serving.h"

#define NONBLOCKING "prethread+select prethread+poll prethread+epoll prethread+uring"

static struct address target, source;
static char failure[256];
static int beats;

static struct address address_of(const char *host, int port_number)
{
    struct endpoint endpoint = endpoint_of("%s:%d", host, port_number);
    struct address_list list;
    assert_int_equal(resolve(&endpoint, AF_UNSPEC, false, &list), 0);
    struct address address = list.items[0];
    address_list_free(&list);
    return address;
}

static int connect_once(struct loop *loop)
{
    parley_conn *conn;
    return loop_connect(loop, &target, source.length ? &source : NULL, &conn);
}

static void say_ping(parley_conn *conn)
{
    saw_opened(conn);
    parley_send(conn, "ping", 4);
}

static void hear_pong(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    if (size == 4 && memcmp(bytes, "pong", 4) == 0)
        parley_finish(conn);
}

static void tell_why(parley_conn *conn, parley_reason reason)
{
    atomic_fetch_add(&witness->closed, reason == PARLEY_UNREACHED); /* what in_models() counts */
    atomic_fetch_add(&witness->reasons[reason], 1);
    snprintf(failure, sizeof failure, "%s", parley_failure(conn));
}

static const parley_handler pinging =
    PARLEY_HANDLER(.name = "test", .state_size = sizeof(struct seen), .opened = say_ping,
                   .received = hear_pong, .closed = saw_closed);
static const parley_handler unreached = PARLEY_HANDLER(.name = "test", .closed = tell_why);

static void start(const parley_handler *handler, const char *model, const char *timeout)
{
    server_make(handler, model, OPTIONS("workers", "1", "connect-timeout", timeout, "drain", "5s"));
    server->begin = connect_once;
    server_run();
}

static void exchange(const char *model)
{
    int listen_port = 0, listener = loopback_listen("127.0.0.1", &listen_port, 4);
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    target = address_of("127.0.0.1", listen_port);
    start(&pinging, model, "5s");
    int fd = accept(listener, (struct sockaddr *)&peer, &length);
    assert_true(fd >= 0);
    if (source.length)
        assert_memory_equal(&peer.sin_addr, &((struct sockaddr_in *)&source.storage)->sin_addr, 4);
    client_hear(fd, "ping", 4);
    client_say(fd, "pong", 4);
    size_t size;
    assert_int_equal(client_hear_end(fd, &size), 0);
    close(fd);
    assert_int_equal(server_wait(), 0);
    assert_int_equal(atomic_load(&witness->opened), 1);
    assert_int_equal(atomic_load(&witness->reasons[PARLEY_FINISHED]), 1);
    close(listener);
}

static void test_exchange(void **state)
{
    (void)state;
    source = (struct address){0};
    in_models(NONBLOCKING, exchange);
}

static void test_source(void **state)
{
    (void)state;
    source = address_of("127.0.0.9", 0);
    in_models(NONBLOCKING, exchange);
    source = (struct address){0};
}

static void refused(const char *model)
{
    target = address_of("127.0.0.1", loopback_free_port());
    start(&unreached, model, "5s");
    assert_int_equal(server_wait(), 0);
    assert_int_equal(atomic_load(&witness->opened), 0);
    assert_int_equal(atomic_load(&witness->reasons[PARLEY_UNREACHED]), 1);
    assert_non_null(strstr(failure, "connection refused"));
}

static void test_refused(void **state)
{
    (void)state;
    in_models(NONBLOCKING, refused);
}

/* A port that the kernel does not choose by itself, nor anybody here. */
static int low_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int candidate = 20000; candidate < 30000; candidate++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        address.sin_port = htons((uint16_t)candidate);
        int status = bind(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (status == 0)
            return candidate;
    }
    fail_msg("no port from 20000 to 30000 is free");
    return -1;
}

/* The port stays free: it is the next model's too. */
static void meets_itself(const char *model)
{
    start(&unreached, model, "5s");
    assert_int_equal(server_wait(), 0);
    assert_int_equal(atomic_load(&witness->opened), 0);
    assert_int_equal(atomic_load(&witness->reasons[PARLEY_UNREACHED]), 1);
    assert_non_null(strstr(failure, "connection refused"));
}

/* As when ip_local_port_range was widened, which is usual for load. */
static void test_meets_itself(void **state)
{
    (void)state;
    target = source = address_of("127.0.0.1", low_port());
    in_models(NONBLOCKING, meets_itself);
    source = (struct address){0};
}

static void unanswered(const char *model)
{
    int hole_port = 0;
    struct black_hole hole = black_hole_open("127.0.0.1", &hole_port);
    target = address_of("127.0.0.1", hole_port);
    start(&unreached, model, "50ms");
    assert_int_equal(server_wait(), 0);
    black_hole_close(&hole);
    assert_int_equal(atomic_load(&witness->reasons[PARLEY_UNREACHED]), 1);
    assert_non_null(strstr(failure, "timed out"));
}

static void test_unanswered(void **state)
{
    (void)state;
    in_models(NONBLOCKING, unanswered);
}

static atomic_int begun;

static int connect_and_tell(struct loop *loop)
{
    int status = connect_once(loop);
    atomic_store(&begun, 1);
    return status;
}

static void stopped(const char *model)
{
    int hole_port = 0;
    struct black_hole hole = black_hole_open("127.0.0.1", &hole_port);
    target = address_of("127.0.0.1", hole_port);
    atomic_store(&begun, 0);
    server_make(&unreached, model, OPTIONS("workers", "1", "connect-timeout", "60s"));
    server->begin = connect_and_tell;
    server_run();
    UNTIL(atomic_load(&begun));
    assert_int_equal(server_stop(), 0);
    black_hole_close(&hole);
    assert_int_equal(atomic_load(&witness->reasons[PARLEY_DRAINED]), 1);
}

static void test_stopped_while_connecting(void **state)
{
    (void)state;
    in_models(NONBLOCKING, stopped);
}

/* Wants to be called every 300 µs, 20 times. */
static int64_t beat(struct loop *loop)
{
    if (++beats == 20)
        loop->pace = NULL;
    return clock_ns() + 300000;
}

static int begin_beating(struct loop *loop)
{
    loop->pace = beat;
    return 0;
}

static void paced(const char *model)
{
    beats = 0;
    server_make(&unreached, model, OPTIONS("workers", "1"));
    server->begin = begin_beating;
    server_run();
    assert_int_equal(server_wait(), 0);
    assert_int_equal(beats, 20);
}

static void test_paced(void **state)
{
    (void)state;
    in_models(NONBLOCKING, paced);
}

static bool was_slow, slept;

/* Longer than the pacer wanted to wait. */
static void close_slowly(parley_conn *conn, parley_reason reason)
{
    tell_why(conn, reason);
    nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    was_slow = true;
}

static const parley_handler slow = PARLEY_HANDLER(.name = "test", .closed = close_slowly);

static int64_t end_when_slow(struct loop *loop)
{
    if (was_slow)
        loop->pace = NULL;
    return clock_ns() + 10 * NS_PER_MS + 1; /* not in whole ms: a fine sleep */
}

static int notice_sleep(int epoll, struct epoll_event *events, int max, const struct timespec *timeout,
                        const sigset_t *mask)
{
    slept = slept || was_slow;
    return epoll_pwait2(epoll, events, max, timeout, mask);
}

static int pace_and_connect(struct loop *loop)
{
    loop->pace = end_when_slow;
    return connect_once(loop);
}

/* What is settled between the pacer's look and the sleep is taken off the sleep. */
static void test_late_already(void **state)
{
    (void)state;
    target = address_of("127.0.0.1", loopback_free_port());
    sys.epoll_pwait2 = notice_sleep;
    server_make(&slow, "prethread+epoll", OPTIONS("workers", "1"));
    server->begin = pace_and_connect;
    server_run();
    assert_int_equal(server_wait(), 0);
    sys.epoll_pwait2 = epoll_pwait2;
    assert_true(was_slow);
    assert_false(slept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_exchange),   SERVER_TEST(test_source),
        SERVER_TEST(test_refused),    SERVER_TEST(test_meets_itself),
        SERVER_TEST(test_unanswered), SERVER_TEST(test_stopped_while_connecting),
        SERVER_TEST(test_paced),      SERVER_TEST(test_late_already),
    };
    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
