/* FAULTS A and B: accept and the calls that move bytes fail, once or for long; only those who must suffer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "injecting.h"
#include "serving.h"

/* Whose accept(2) and recv(2) are the table's; the ring has its own. */
#define PLAIN "blocking select poll epoll"

static bool is_plain(const char *model)
{
    return !model_has(model, "uring");
}

/* ---- accept --------------------------------------------------------------------------------- */

/* FAULTS A1, A2, A3: three failures in a row, and the next client is served. */
static void accept_in(const char *model)
{
    static const int errors[] = {ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, EINTR,
                                 EMFILE,       ENFILE, ENOMEM,   ENOBUFS,      EPERM};

    if (!is_plain(model))
        return;
    server_start(&witnessed_echo, model, NULL);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        plan(CALL_ACCEPT, errors[i], 0, 3);
        for (int tries = 0; failures_of(CALL_ACCEPT) < 3 && tries < 50; tries++)
            client_is_served_at_last();
        assert_int_equal(failures_of(CALL_ACCEPT), 3);
        plan_nothing();
        client_is_served();
    }
    assert_int_equal(server_stop(), 0);
}

static void accept_may_fail(void **state)
{
    (void)state;
    in_models(PLAIN, accept_in);
}

/* FAULTS A5: the listener is broken, so the server says so and ends. A client that stays cannot prevent
 * it. */
static void broken_in(const char *model)
{
    static const int errors[] = {EBADF, EINVAL, ENOTSOCK};

    for (size_t i = 0; i < sizeof errors / sizeof *errors && is_plain(model); i++) {
        server_start(&witnessed_echo, model, OPTIONS("workers", "1", "linger", "20ms"));
        int fd = model_has(model, "iterative") ? -1 : client_open();
        if (fd >= 0 && !(model_has(model, "blocking") &&
                         (model_has(model, "prethread") || model_has(model, "prefork")))) {
            client_say(fd, "x", 1);
            client_hear(fd, "x", 1);
        }
        plan(CALL_ACCEPT, errors[i], 0, ALWAYS);
        if (fd >= 0 && model_has(model, "blocking") &&
            (model_has(model, "prethread") || model_has(model, "prefork"))) {
            client_leave(fd); /* its worker accepts again only after it */
            fd = -1;
        }
        int late = client_try(); /* a blocking accept may be under way, and takes this one */
        if (late >= 0)
            client_finish(late);
        assert_true(server_wait() < 0);
        if (late >= 0)
            client_leave(late);
        assert_non_null(strstr(server_sentence, "accept 127.0.0.1:"));
        if (fd >= 0)
            client_leave(fd);
        plan_nothing();
    }
}

static void a_broken_listener_ends_the_server(void **state)
{
    (void)state;
    in_models(PLAIN, broken_in);
}

/* FAULTS A9. */
static void tune_in(const char *model)
{
    if (!is_plain(model))
        return;
    server_start(&witnessed_echo, model, OPTIONS("keepalive", "30"));
    for (int i = 0; i < 3; i++) {
        plan(CALL_SETSOCKOPT, ENOPROTOOPT, i, 1);
        client_is_served_at_last();
        client_is_served_at_last();
        plan_nothing();
    }
    client_is_served();
    assert_int_equal(server_stop(), 0);
}

static void setsockopt_may_fail(void **state)
{
    (void)state;
    in_models(NULL, tune_in);
}

/* ---- recv and send -------------------------------------------------------------------------- */

/* One call of one connection fails; a second client, there before and after, notices nothing. */
static void fail_one(enum call call, int error, bool survives)
{
    int lucky = model_has(model_now, "iterative") || model_has(model_now, "blocking") ? -1 : client_open();
    int fd = client_open();
    if (lucky >= 0) {
        client_say(lucky, "before", 6);
        client_hear(lucky, "before", 6);
    }
    client_say(fd, "a", 1);
    client_hear(fd, "a", 1);
    /* Those before are gone, and cannot take the failure for theirs. Twice: an answer tried at once is tried
     * again when it is the queue's turn, whatever the first try said. */
    UNTIL(witness->at_once == (lucky >= 0) + 1);
    plan(call, error, 0, 2);
    (void)send(fd, "bcd", 3, MSG_NOSIGNAL);
    if (survives) {
        client_hear(fd, "bcd", 3);
    } else {
        size_t size;
        client_hear_end(fd, &size);
        assert_int_equal(size, 0);
    }
    client_leave(fd);
    /* A blocking recv was under way before the plan was: it fails the next time. */
    plan(call, 0, 0, 0);
    if (lucky >= 0) {
        client_say(lucky, "after", 5);
        client_hear(lucky, "after", 5);
        client_leave(lucky);
    }
    client_is_served_at_last();
}

static void passing_in(const char *model)
{
    static const int errors[] = {EINTR, ENOBUFS, ENOMEM};

    server_start(&witnessed_echo, model, OPTIONS("write-timeout", "5s"));
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        fail_one(CALL_SEND, errors[i], true);
    if (is_plain(model))
        fail_one(CALL_RECV, EINTR, true);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_FAILED] + witness->reasons[PARLEY_STALLED], 0);
}

static void passing_failures_are_retried(void **state)
{
    (void)state;
    in_models(NULL, passing_in);
}

static void lost_in(const char *model)
{
    static const struct {
        int error;
        parley_reason reason;
    } ends[] = {{EPIPE, PARLEY_RESET},        {ECONNRESET, PARLEY_RESET}, {ETIMEDOUT, PARLEY_RESET},
                {EHOSTUNREACH, PARLEY_RESET}, {EIO, PARLEY_FAILED},       {ENOTCONN, PARLEY_RESET}};

    server_start(&witnessed_echo, model, NULL);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int before = atomic_load(&witness->reasons[ends[i].reason]);
        fail_one(CALL_SEND, ends[i].error, false);
        UNTIL(witness->reasons[ends[i].reason] == before + 1);
        if (is_plain(model) && !model_has(model, "blocking")) {
            fail_one(CALL_RECV, ends[i].error, false);
            UNTIL(witness->reasons[ends[i].reason] == before + 2);
        }
    }
    assert_int_equal(server_stop(), 0);
}

static void failures_end_one_connection(void **state)
{
    (void)state;
    in_models(NULL, lost_in);
}

/* A shutdown(2) that fails ends that connection, not the waiting for it. */
static void shutdown_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    plan(CALL_SHUTDOWN, ENOTCONN, 0, 1);
    client_is_served_at_last();
    client_is_served_at_last();
    assert_int_equal(server_stop(), 0);
}

static void shutdown_may_fail(void **state)
{
    (void)state;
    in_models(NULL, shutdown_in);
}

/* ---- trickles ------------------------------------------------------------------------------- */

static void trickle(const char *model, bool refuse, bool single, size_t size)
{
    server_start(&witnessed_echo, model, NULL);
    plan_trickle(refuse, single);
    int fd = client_open();
    client_echo_bulk(fd, size);
    client_finish(fd);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    plan_nothing();
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->bytes, size);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

/* FAULTS B1, E3. */
static void single_bytes_in(const char *model)
{
    trickle(model, false, true, 10000);
}

static void one_byte_at_a_time(void **state)
{
    (void)state;
    in_models(NULL, single_bytes_in);
}

/* FAULTS B2. */
static void half_in(const char *model)
{
    trickle(model, true, false, 1 << 20);
}

static void half_of_all_calls_say_again(void **state)
{
    (void)state;
    in_models(NULL, half_in);
}

static void worst_in(const char *model)
{
    trickle(model, true, true, 3000);
}

static void single_bytes_and_half_of_them_refused(void **state)
{
    (void)state;
    in_models(NULL, worst_in);
}

/* ---- lingering ------------------------------------------------------------------------------ */

enum { MORE_THAN_A_PEER_HOLDS = 256 << 10 };

static void much_opened(parley_conn *conn)
{
    static const char much[MORE_THAN_A_PEER_HOLDS];

    saw_opened(conn);
    parley_send(conn, much, sizeof much);
    parley_finish(conn);
}

static const parley_handler generous = PARLEY_HANDLER(.name = "generous", .state_size = sizeof(struct seen),
                                                      .opened = much_opened, .closed = saw_closed);

/* The kernel has it all, so that the next client is served, and the peer takes none of it: without a time to
 * linger for it is looked at now and then, not as often as the clock ticks. A slow machine looks less often.
 */
static void unread_in(const char *model)
{
    enum call wait = model_has(model, "poll") ? CALL_POLL : CALL_EPOLL_WAIT;

    server_start(&generous, model, OPTIONS("linger", "0", "send-buffer", "4MiB"));
    int first = client_open(), second = client_open();
    UNTIL(witness->opened == 2);
    plan_nothing();
    int64_t began = sys.now(), passed = 0;
    UNTIL(calls_of(wait) >= 4 && (passed = sys.now() - began) >= 250);
    int looks = calls_of(wait);
    if (looks > 20 + passed / 10)
        fail_msg("%s: it woke %d times in %d ms", model, looks, (int)passed);
    client_reset(first);
    client_reset(second);
    assert_int_equal(server_stop(), 0);
}

static void an_unread_end_is_not_looked_at_all_the_time(void **state)
{
    (void)state;
    in_models("iterative+poll", unread_in);
    in_models("iterative+epoll", unread_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INJECTED_TEST(accept_may_fail),
        INJECTED_TEST(a_broken_listener_ends_the_server),
        INJECTED_TEST(setsockopt_may_fail),
        INJECTED_TEST(passing_failures_are_retried),
        INJECTED_TEST(failures_end_one_connection),
        INJECTED_TEST(shutdown_may_fail),
        INJECTED_TEST(one_byte_at_a_time),
        INJECTED_TEST(half_of_all_calls_say_again),
        INJECTED_TEST(single_bytes_and_half_of_them_refused),
        INJECTED_TEST(an_unread_end_is_not_looked_at_all_the_time),
    };

    return cmocka_run_group_tests(tests, injecting_prepare, injecting_check);
}
