/* FAULTS C6, C7 and the like: what a server needs to begin, and each new worker, is refused. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include <cmocka.h>

#include "injecting.h"
#include "loopback.h"
#include "serving.h"

/* The server does not start, and says why. */
static void does_not_start(const char *model, enum call call, int error, const char *sentence)
{
    plan_nothing();
    server_make_listening(&witnessed_echo, model, NULL);
    plan(call, error, 0, ALWAYS);
    server_run();
    assert_true(server_wait() < 0);
    if (strstr(server_sentence, sentence) == NULL)
        fail_msg("%s: %s", model, server_sentence);
    plan_nothing();
}

/* The only worker needs no thread, unless it can be woken by a signal alone. */
static bool runs_in_the_caller(const char *model)
{
    return model_has(model, "iterative") && !model_has(model, "blocking");
}

static void start_in(const char *model)
{
    if (model_has(model, "epoll") && !model_has(model, "fork") && !model_has(model, "thread")) {
        does_not_start(model, CALL_EPOLL_CREATE, EMFILE, "epoll_create1");
        does_not_start(model, CALL_EPOLL_CTL, ENOMEM, "epoll cannot watch");
    }
    if (!model_has(model, "blocking"))
        does_not_start(model, CALL_EVENTFD, EMFILE, "eventfd");
    if (model_has(model, "prefork"))
        does_not_start(model, CALL_FORK, EAGAIN, "fork");
    else if (!runs_in_the_caller(model))
        does_not_start(model, CALL_THREAD, EAGAIN, "pthread_create");
}

static void a_server_that_cannot_start_says_why(void **state)
{
    (void)state;
    in_models(NULL, start_in);
}

/* One of the two workers cannot be made: the other does not go on alone, unnoticed. */
static void second_in(const char *model)
{
    server_make_listening(&witnessed_echo, model, NULL);
    plan(model_has(model, "prefork") ? CALL_FORK : CALL_THREAD, EAGAIN, 1, 1);
    server_run();
    assert_true(server_wait() < 0);
    plan_nothing();
}

static void half_a_server_is_none(void **state)
{
    (void)state;
    in_models("prefork prethread", second_in);
}

/* ... and when it has ended nobody is left who holds the listener: who comes is refused, and does not wait in
 * its queue for a server that only drains. */
static void closed_in(const char *model, enum call call, int error)
{
    server_make_listening(&witnessed_echo, model, NULL);
    plan(call, error, 1, 1);
    assert_true(parley_run(server) < 0);
    plan_nothing();
    int fd = client_try();
    if (fd >= 0)
        fail_msg("%s: it still listens", model);
    assert_int_equal(errno, ECONNREFUSED);
    parley_server_free(server);
    server = NULL;
}

static void closed_by_all_in(const char *model)
{
    closed_in(model, CALL_THREAD, EAGAIN);
    if (model_has(model, "epoll"))
        closed_in(model, CALL_EPOLL_CREATE, EMFILE);
    if (!model_has(model, "blocking"))
        closed_in(model, CALL_EVENTFD, EMFILE);
}

static void half_a_server_does_not_listen(void **state)
{
    (void)state;
    in_models("prethread", closed_by_all_in);
}

/* FAULTS C5, C6: no worker for this client: it is closed, and the next is served. */
static void shed_in(const char *model)
{
    plan_nothing();
    server_start(&witnessed_echo, model, NULL);
    client_is_served();
    plan(model_has(model, "fork") ? CALL_FORK : CALL_THREAD, EAGAIN, 0, 3);
    client_is_served_at_last();
    assert_int_equal(failures_of(model_has(model, "fork") ? CALL_FORK : CALL_THREAD), 3);
    client_is_served();
    assert_int_equal(server_stop(), 0);
}

static void clients_without_a_worker_are_shed(void **state)
{
    (void)state;
    in_models("fork thread", shed_in);
}

/* A worker of one client that cannot open its loop: that client alone is lost. */
static void loop_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    client_is_served();
    if (model_has(model, "epoll")) {
        plan(CALL_EPOLL_CREATE, EMFILE, 0, 2);
        client_is_served_at_last();
        plan(CALL_EPOLL_CTL, ENOSPC, 0, 1);
        client_is_served_at_last();
    }
    if (!model_has(model, "blocking")) {
        plan(CALL_EVENTFD, EMFILE, 0, 2);
        client_is_served_at_last();
    }
    client_is_served();
    assert_int_equal(server_stop(), 0);
}

static void a_client_s_own_loop_may_not_open(void **state)
{
    (void)state;
    in_models("fork thread", loop_in);
}

/* The call that waits fails a few times: nothing is lost. */
static void wait_in(const char *model)
{
    static const enum call waits[] = {CALL_SELECT, CALL_POLL, CALL_EPOLL_WAIT};
    static const int errors[] = {EINTR, ENOMEM};

    server_start(&witnessed_echo, model, NULL);
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 2; j++) {
            int fd = client_open();
            plan(waits[i], errors[j], 0, errors[j] == EINTR ? 20 : 2);
            client_say(fd, "hello", 5);
            client_hear(fd, "hello", 5);
            client_leave(fd);
            plan_nothing();
        }
    }
    assert_int_equal(server_stop(), 0);
}

static void waiting_may_fail(void **state)
{
    (void)state;
    in_models(NULL, wait_in);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000;
}

/* The kernel has no memory for long: it is asked now and then, not as fast as it can say no. A slow machine
 * asks less often still. */
static void wait_long_in(const char *model)
{
    enum call wait = model_has(model, "select") ? CALL_SELECT
                     : model_has(model, "poll") ? CALL_POLL
                                                : CALL_EPOLL_WAIT;

    server_start(&witnessed_echo, model, OPTIONS("workers", "1"));
    client_is_served();
    UNTIL(witness->closed == 1);
    int64_t began = now();
    plan(wait, ENOMEM, 0, ALWAYS);
    int fd = client_open(); /* it wakes, and falls asleep no more */
    client_say(fd, "hello", 5);
    UNTIL(failures_of(wait) >= 4);
    int failures = failures_of(wait);
    if (failures > 5 + (now() - began) / 20)
        fail_msg("%s: asked %d times in %d ms", model, failures, (int)(now() - began));
    plan(wait, 0, 0, 0);
    client_hear(fd, "hello", 5);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
}

static void waiting_that_fails_for_long_does_not_spin(void **state)
{
    (void)state;
    static const char *const some[] = {"prefork+select", "iterative+poll", "prethread+epoll"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        in_models(some[i], wait_long_in);
}

/* epoll refuses a connection, or a listener for a while: it is tried again. */
static void refuse_in(const char *model)
{
    for (int skip = 0; skip < 6; skip++) {
        /* One worker: a second might still be starting, and what fails then is its start. */
        server_start(&witnessed_echo, model, OPTIONS("workers", "1"));
        client_is_served();
        plan(CALL_EPOLL_CTL, ENOSPC, skip, 1);
        client_is_served_at_last();
        client_is_served_at_last();
        plan_nothing();
        client_is_served();
        client_is_served();
        assert_int_equal(server_stop(), 0);
    }
}

static void epoll_may_refuse(void **state)
{
    (void)state;
    in_models("epoll", refuse_in);
}

/* ---- listening ------------------------------------------------------------------------------ */

static void refuse_listening(enum call call, int error, const char *sentence)
{
    server_make(&witnessed_echo, "prethread+epoll", NULL);
    plan(call, error, 0, 1);
    int status = parley_listen(server, "127.0.0.1:0");
    plan_nothing();
    assert_true(status < 0);
    if (strstr(parley_error(), sentence) == NULL || strstr(parley_error(), "127.0.0.1:0") == NULL)
        fail_msg("%s", parley_error());
    parley_server_free(server);
    server = NULL;
}

/* FAULTS A6. */
static void listening_may_fail(void **state)
{
    (void)state;
    refuse_listening(CALL_SOCKET, EMFILE, "socket");
    refuse_listening(CALL_SOCKET, EAFNOSUPPORT, "socket");
    refuse_listening(CALL_BIND, EADDRINUSE, "bind");
    refuse_listening(CALL_BIND, EACCES, "permission denied");
    refuse_listening(CALL_BIND, EADDRNOTAVAIL, "bind");
    refuse_listening(CALL_LISTEN, EADDRINUSE, "listen");
    refuse_listening(CALL_SETSOCKOPT, EINVAL, "setsockopt");
}

/* FAULTS E1: descriptors that select cannot watch. */
static void beyond_in(const char *model)
{
    int taken[FD_SETSIZE];
    int count = 0;

    for (int fd = 0; fd < FD_SETSIZE && count < FD_SETSIZE; count++)
        taken[count] = fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    server_make_listening(&witnessed_echo, model, NULL);
    server_run();
    int status = server_wait();
    for (int i = 0; i < count; i++)
        close(taken[i]);
    assert_true(status < 0);
    if (strstr(server_sentence, "FD_SETSIZE") == NULL)
        fail_msg("%s: %s", model, server_sentence);
}

static void select_refuses_what_it_cannot_watch(void **state)
{
    (void)state;
    in_models("select", beyond_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INJECTED_TEST(a_server_that_cannot_start_says_why),
        INJECTED_TEST(half_a_server_is_none),
        INJECTED_TEST(half_a_server_does_not_listen),
        INJECTED_TEST(clients_without_a_worker_are_shed),
        INJECTED_TEST(a_client_s_own_loop_may_not_open),
        INJECTED_TEST(waiting_may_fail),
        INJECTED_TEST(waiting_that_fails_for_long_does_not_spin),
        INJECTED_TEST(epoll_may_refuse),
        INJECTED_TEST(listening_may_fail),
        INJECTED_TEST(select_refuses_what_it_cannot_watch),
    };

    return cmocka_run_group_tests(tests, injecting_prepare, injecting_check);
}
