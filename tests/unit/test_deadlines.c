/* Deadlines of connections and of the stop, and what `closed` is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "serving.h"

static void silent(const char *model, const char *option, const char *time, parley_reason reason)
{
    server_start(&witnessed_echo, model, OPTIONS(option, time));
    int fd = client_open();
    client_say(fd, "hello", 5);
    client_hear(fd, "hello", 5);
    client_hear_end(fd, NULL);
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[reason], 1);
}

static void idle_in(const char *model)
{
    silent(model, "idle", "40ms", PARLEY_IDLE);
}

static void idle_connections_end(void **state)
{
    (void)state;
    in_models(NULL, idle_in);
}

/* One client keeps the worker busy for longer than the idle time. */
static void stuck_received(parley_conn *conn, const void *bytes, size_t size)
{
    struct timespec nap = {.tv_nsec = 1000000};

    while (*(const char *)bytes == 's' && !witness->flag) {
        witness->other = 1;
        nanosleep(&nap, NULL);
    }
    echo_received(conn, bytes, size);
}

static const parley_handler stuck = WITNESS(.received = stuck_received);

/* More have spoken meanwhile than one look at epoll brings: those that are still to be heard are not idle. */
static void unheard_in(const char *model)
{
    enum { MANY = 600, IDLE = IS_SANITIZED ? 10000 : 1000 /* ms */ };
    int fds[MANY];

    server_start(&stuck, model, OPTIONS("workers", "1", "idle", IS_SANITIZED ? "10s" : "1s"));
    for (int i = 0; i < MANY; i++)
        fds[i] = client_open();
    UNTIL(witness->opened == MANY);
    client_say(fds[0], "s", 1);
    UNTIL(witness->other == 1);
    for (int i = 1; i < MANY; i++)
        client_say(fds[i], "x", 1);
    int64_t began = sys.now();
    UNTIL(sys.now() - began > IDLE);
    witness->flag = 1;
    for (int i = 0; i < MANY; i++)
        client_hear(fds[i], i == 0 ? "s" : "x", 1);
    for (int i = 0; i < MANY; i++)
        client_leave(fds[i]);
    assert_int_equal(server_stop(), 0);
}

static void who_is_still_to_be_heard_is_not_idle(void **state)
{
    (void)state;
    in_models("prefork+epoll", unheard_in);
}

static void life_in(const char *model)
{
    silent(model, "life", "40ms", PARLEY_LIFETIME);
}

static void life_has_an_end(void **state)
{
    (void)state;
    in_models(NULL, life_in);
}

/* The server's clock, in ms: it stands still unless the test moves it, however busy the machine is. */
static _Atomic int64_t its_time;

static int64_t tell_its_time(void)
{
    return its_time;
}

/* Who goes on talking is not idle, and has its whole life: 150 ms and 400 ms, a message each 50 ms. */
static void talking_in(const char *model)
{
    int64_t (*clock)(void) = sys.now;
    const int64_t start = clock();
    its_time = start;
    sys.now = tell_its_time;
    server_start(&witnessed_echo, model, OPTIONS("idle", "150ms", "life", "400ms"));
    int fd = client_open();
    char byte;
    while (send(fd, "x", 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1)
        its_time += 50;
    assert_true(its_time - start >= 400);
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    sys.now = clock;
    assert_int_equal(witness->reasons[PARLEY_LIFETIME], 1);
}

static void talking_is_not_idle(void **state)
{
    (void)state;
    in_models("iterative prethread", talking_in);
}

static void flood(parley_conn *conn)
{
    char *much = calloc(1, 20 << 20);

    saw_opened(conn);
    parley_send(conn, much, 20 << 20);
    free(much);
}

static const parley_handler flooder = PARLEY_HANDLER(.name = "flooder", .state_size = sizeof(struct seen),
                                                     .opened = flood, .closed = saw_closed);

/* FAULTS B8: a peer that never reads. */
static void stalled_in(const char *model)
{
    server_start(&flooder, model, OPTIONS("write-timeout", "60ms"));
    int fd = client_open();
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_STALLED], 1);
}

static void a_peer_that_never_reads_is_cut(void **state)
{
    (void)state;
    in_models(NULL, stalled_in);
}

static void cut_in(const char *model)
{
    server_start(&flooder, model, OPTIONS("write-timeout", "0", "drain", "60ms"));
    int fd = client_open();
    UNTIL(witness->opened == 1);
    assert_int_equal(server_stop(), 0);
    client_leave(fd);
    assert_int_equal(witness->reasons[PARLEY_CUT], 1);
}

static void the_drain_deadline_cuts(void **state)
{
    (void)state;
    in_models(NULL, cut_in);
}

/* A stop sends what is queued, says the end, and tells why. */
static void drain_in(const char *model)
{
    size_t size;
    server_start(&flooder, model, NULL);
    int fd = client_open();
    UNTIL(witness->opened == 1);
    parley_stop(server);
    assert_int_equal(client_hear_end(fd, &size), 0);
    assert_int_equal(size, 20 << 20);
    client_leave(fd);
    assert_int_equal(server_wait(), 0);
    assert_int_equal(witness->reasons[PARLEY_DRAINED], 1);
}

static void a_stop_loses_nothing(void **state)
{
    (void)state;
    in_models(NULL, drain_in);
}

/* An idle connection has nothing to finish. */
static void drain_idle_in(const char *model)
{
    int fds[4];
    int count = model_has(model, "iterative") || model_has(model, "blocking") ? 1 : 4;
    server_start(&witnessed_echo, model, NULL);
    for (int i = 0; i < count; i++)
        fds[i] = client_open();
    UNTIL(witness->opened == count);
    assert_int_equal(server_stop(), 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(client_hear_end(fds[i], NULL), 0);
        client_leave(fds[i]);
    }
    assert_int_equal(witness->reasons[PARLEY_DRAINED], count);
}

static void a_stop_ends_idle_connections(void **state)
{
    (void)state;
    in_models(NULL, drain_idle_in);
}

static void finish_opened(parley_conn *conn)
{
    saw_opened(conn);
    parley_send(conn, "bye", 3);
    parley_finish(conn);
}

static const parley_handler brief = PARLEY_HANDLER(.name = "brief", .state_size = sizeof(struct seen),
                                                   .opened = finish_opened, .closed = saw_closed);

/* The peer does not finish too: it is waited for no longer than "linger". */
static void linger_in(const char *model)
{
    server_start(&brief, model, OPTIONS("linger", "50ms"));
    int fd = client_open();
    client_hear(fd, "bye", 3);
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void lingering_has_an_end(void **state)
{
    (void)state;
    in_models(NULL, linger_in);
}

/* Without a `closed`, `ended` or any other callback, a connection ends all the same. */
static void mute_in(const char *model)
{
    static const parley_handler mute = PARLEY_HANDLER(.name = "mute");
    server_start(&mute, model, NULL);
    int fd = client_open();
    client_say(fd, "anybody?", 8);
    client_finish(fd);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
}

static void callbacks_are_optional(void **state)
{
    (void)state;
    in_models(NULL, mute_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(idle_connections_end),         SERVER_TEST(life_has_an_end),
        SERVER_TEST(talking_is_not_idle),          SERVER_TEST(a_peer_that_never_reads_is_cut),
        SERVER_TEST(the_drain_deadline_cuts),      SERVER_TEST(a_stop_loses_nothing),
        SERVER_TEST(a_stop_ends_idle_connections), SERVER_TEST(lingering_has_an_end),
        SERVER_TEST(callbacks_are_optional),       SERVER_TEST(who_is_still_to_be_heard_is_not_idle),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
