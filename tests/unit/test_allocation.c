/* FAULTS C1: the Nth allocation fails, once and from then on, through the whole life of a server. No crash,
 * no hang; leaks are the sanitizer's to find, and descriptors the group's. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "injecting.h"
#include "loopback.h"
#include "serving.h"

enum { MOST = 200, QUIET = 10, SHORTAGE = 10 };

static parley_server *tortured;
static atomic_bool is_over;
static int outcome;
static char sentence[1024];

static void check_outcome(int status)
{
    outcome = status;
    snprintf(sentence, sizeof sentence, "%s", status < 0 ? parley_error() : "");
}

static void *run(void *context)
{
    (void)context;
    check_outcome(parley_run(tortured));
    atomic_store(&is_over, true);
    return NULL;
}

/* Says something long enough to be queued, split so that it must be kept, and waits for any end of it. */
static void visit(void)
{
    char heard[4096];
    ssize_t n = 1;
    int fd = client_try();
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    if (fd < 0)
        return; /* it has given up already */
    (void)send(fd, "begun", 5, MSG_NOSIGNAL);
    sched_yield();
    (void)send(fd, " and ended\n", 11, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    for (int patience = PATIENCE / QUIET; n > 0 && !atomic_load(&is_over); patience--) {
        if (patience == 0)
            fail_msg("%s: no answer and no end", model_now);
        if (patience == PATIENCE / QUIET - SHORTAGE)
            plan(CALL_ALLOCATE, 0, 0, 0); /* who is not accepted for want of memory is, once there is some */
        if (poll(&wait, 1, QUIET) > 0)
            n = recv(fd, heard, sizeof heard, 0);
    }
    client_leave(fd);
}

static void line_received(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    parley_send(conn, bytes, size);
    parley_set_timer(conn, 1000);
}

static const parley_handler lines =
    PARLEY_HANDLER(.name = "lines", .framing = "line", .state_size = sizeof(struct seen),
                   .opened = saw_opened, .received = line_received, .timed = saw_timed, .closed = saw_closed);

static int make(const char *model, const char *dialled)
{
    int status = parley_set(tortured, "model", model);

    parley_set(tortured, "workers", "2");
    parley_set(tortured, "drain", "1s");
    parley_set(tortured, "reuseport", "on");
    if (status == 0 && dialled != NULL)
        return parley_dial(tortured, dialled);
    if (status == 0) {
        status = parley_listen(tortured, "127.0.0.1:0");
        port = parley_listener_port(tortured, 0);
    }
    return status;
}

static void serve(void)
{
    pthread_t thread;

    atomic_store(&is_over, false);
    pthread_create(&thread, NULL, run, NULL);
    for (int i = 0; i < 2 && !atomic_load(&is_over); i++)
        visit();
    parley_stop(tortured);
    pthread_join(thread, NULL);
}

/* Its dial is answered by a listener of the test's that hangs up. */
static void reach(int listener)
{
    pthread_t thread;
    struct pollfd wait = {.fd = listener, .events = POLLIN};

    atomic_store(&is_over, false);
    pthread_create(&thread, NULL, run, NULL);
    for (int patience = PATIENCE / QUIET; !atomic_load(&is_over); patience--) {
        if (patience == 0)
            fail_msg("%s: the dial has no end", model_now);
        if (poll(&wait, 1, QUIET) > 0)
            client_leave(accept(listener, NULL, NULL));
    }
    pthread_join(thread, NULL);
}

/* One life of a server; how many allocations it asked for. */
static int live(const char *model, const char *dialled, int listener)
{
    outcome = 0;
    tortured = parley_server_new(&lines);
    if (tortured == NULL || make(model, dialled) < 0)
        check_outcome(PARLEY_RESOURCE);
    else if (dialled == NULL)
        serve();
    else
        reach(listener);
    parley_server_free(tortured);
    assert_true(outcome >= 0 || sentence[0] != '\0');
    return calls_of(CALL_ALLOCATE);
}

static void torture(const char *model, const char *dialled, int listener)
{
    plan_nothing();
    int all = live(model, dialled, listener);
    assert_in_range(all, 5, MOST);
    assert_true(outcome == 0);
    for (int i = 0; i < 2 * all; i++) {
        plan_nothing();
        plan(CALL_ALLOCATE, ENOMEM, i / 2, i % 2 == 0 ? 1 : ALWAYS);
        live(model, dialled, listener);
    }
    plan_nothing();
    live(model, dialled, listener);
    assert_true(outcome == 0);
}

static void serve_in(const char *model)
{
    torture(model, NULL, -1);
}

static void no_allocation_is_vital(void **state)
{
    (void)state;
    in_models("iterative prethread", serve_in);
}

static void nor_in_models_of_many_workers(void **state)
{
    (void)state;
    in_models("fork thread prefork", serve_in);
}

static void dial_in(const char *model)
{
    char address[64];
    int there = 0;
    int listener = loopback_listen("127.0.0.1", &there, 5);

    snprintf(address, sizeof address, "127.0.0.1:%d", there);
    torture(model, address, listener);
    close(listener);
}

static void nor_in_dialling(void **state)
{
    (void)state;
    in_models("iterative prethread", dial_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INJECTED_TEST(no_allocation_is_vital),
        INJECTED_TEST(nor_in_models_of_many_workers),
        INJECTED_TEST(nor_in_dialling),
    };

    return cmocka_run_group_tests(tests, injecting_prepare, injecting_check);
}
