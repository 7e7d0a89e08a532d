/* The watchdog is fed by whoever is well, and by nobody else. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "poller/poller.h"
#include "supervise/notify.h"
#include "supervise/supervise.h"
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WATCHDOG = 1000 /* ms */ };

struct manager {
    int socket;
    parley_server *server;
    struct supervision supervision;
    struct worker worker;
};

static int64_t clock_now = 100000;

static int64_t stopped_clock(void)
{
    return clock_now;
}

static int set_up(void **state)
{
    static const parley_handler handler = PARLEY_HANDLER(.name = "test");
    struct manager *manager = calloc(1, sizeof *manager);
    int ends[2];
    if (!manager)
        return -1;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0) {
        free(manager);
        return -1;
    }
    manager->socket = ends[0];
    manager->server = parley_server_new(&handler);
    manager->server->manager = ends[1];
    assert_int_equal(parley_set(manager->server, "watchdog", "1s"), 0);
    log_open(&manager->server->log, LOG_OFF, 0);
    manager->worker = (struct worker){.server = manager->server, .fd = -1};
    manager->server->workers = &manager->worker;
    manager->supervision.server = manager->server;
    sys.now = stopped_clock;
    *state = manager;
    return 0;
}

static int tear_down(void **state)
{
    struct manager *manager = *state;
    manager->server->workers = NULL;
    notify_close(manager->server);
    close(manager->socket);
    parley_server_free(manager->server);
    free(manager);
    return 0;
}

static const char *told(const struct manager *manager)
{
    static char text[1024];
    ssize_t size = recv(manager->socket, text, sizeof text - 1, MSG_DONTWAIT);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* Whether the watchdog is fed now; or else nothing is said at all. */
static bool feeds(struct manager *manager)
{
    notify_alive(&manager->supervision);
    const char *said = told(manager);
    assert_true(*said == '\0' || strstr(said, "WATCHDOG=1"));
    return *said != '\0';
}

static void test_twice_in_its_time(void **state)
{
    struct manager *manager = *state;
    notify_alive(&manager->supervision);
    assert_non_null(strstr(told(manager), "WATCHDOG=1\nSTATUS=test listens on"));
    assert_int_equal(notify_patience(&manager->supervision, -1), WATCHDOG / 2);
    assert_int_equal(notify_patience(&manager->supervision, 10), 10);
    assert_false(feeds(manager));
    clock_now += WATCHDOG / 2;
    assert_int_equal(notify_patience(&manager->supervision, -1), 0);
    assert_true(feeds(manager));
}

static void test_not_for_a_worker_that_never_rests(void **state)
{
    struct manager *manager = *state;
    _Atomic int64_t *since = &manager->server->shared->shares[0].busy_since;
    atomic_store(since, clock_now - WATCHDOG + 1);
    assert_true(feeds(manager));
    clock_now += WATCHDOG / 2;
    assert_false(feeds(manager));
    atomic_store(since, 0);
    clock_now += WATCHDOG / 2;
    assert_true(feeds(manager));
}

static void test_one_clients_worker_is_not_asked(void **state)
{
    struct manager *manager = *state;
    struct worker of_client = {
        .server = manager->server, .fd = 7, .index = MOST_WORKERS + 1 /* beyond what is shared */};
    manager->worker.next = &of_client;
    assert_true(feeds(manager));
}

static void test_not_without_a_worker_that_serves(void **state)
{
    struct manager *manager = *state;
    manager->worker.fd = 7;
    assert_false(feeds(manager));
    manager->supervision.stop_at = 1;
    clock_now += WATCHDOG / 2;
    assert_true(feeds(manager));
}

/* The process is this one, which would answer by the turn of a loop. */
static void test_a_process_that_rests_is_asked(void **state)
{
    struct manager *manager = *state;
    _Atomic int64_t *since = &manager->server->shared->shares[0].busy_since;
    manager->worker.is_process = true;
    manager->worker.pid = getpid(); /* SIGURG is ignored */
    atomic_store(since, 0);
    notify_alive(&manager->supervision);
    assert_int_equal(atomic_load(since), -clock_now);
    assert_non_null(strstr(told(manager), "WATCHDOG=1"));
    clock_now += WATCHDOG / 2;
    assert_true(feeds(manager));
    clock_now += WATCHDOG / 2;
    assert_false(feeds(manager));
    atomic_store(since, 0);
    clock_now += WATCHDOG / 2;
    assert_true(feeds(manager));
}

static void test_a_loop_says_since_when_it_is_busy(void **state)
{
    struct manager *manager = *state;
    struct loop loop = {.server = manager->server, .worker = &manager->worker, .poller = &poller_epoll};
    assert_ptr_equal(notify_pulse(&loop), &manager->server->shared->shares[0].busy_since);
    loop.poller = &poller_blocking;
    assert_non_null(notify_pulse(&loop));
    assert_int_equal(parley_set(manager->server, "watchdog", "0"), 0);
    assert_null(notify_pulse(&loop));
    loop.poller = &poller_epoll;
    assert_null(notify_pulse(&loop));
    manager->server->worker_total = 2; /* who shares a listener asks too */
    assert_non_null(notify_pulse(&loop));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_twice_in_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_for_a_worker_that_never_rests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_clients_worker_is_not_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_without_a_worker_that_serves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_process_that_rests_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_loop_says_since_when_it_is_busy, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
