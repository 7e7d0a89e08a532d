/* Workers that have ended: when they come back, and when somebody else has reaped them. */
#include "base/sys.h"
#include "engine/server.h"
#include "supervise/supervise.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static parley_server *server;
static struct supervision supervision;

static int set_up(void **state)
{
    static const parley_handler handler = PARLEY_HANDLER(.name = "test");
    (void)state;
    server = parley_server_new(&handler);
    if (!server || parley_set(server, "model", "prefork+epoll") < 0)
        return -1;
    server->worker_total = 1;
    supervision = (struct supervision){.server = server, .restart_delay = FIRST_RESTART};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    parley_server_free(server);
    return 0;
}

/* A worker process that ends at once, as one of the server's. */
static pid_t add_worker(void)
{
    struct worker *worker = calloc(1, sizeof *worker);
    assert_non_null(worker);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    *worker = (struct worker){.server = server,
                              .next = server->workers,
                              .fd = -1,
                              .is_process = true,
                              .pid = pid,
                              .started_at = sys.now()};
    server->workers = worker;
    return pid;
}

static void await_end(pid_t pid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
}

static void reap_elsewhere(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void crashes_in_a_row_wait_longer_and_no_longer_than_10_s(void **state)
{
    static const int64_t delays[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};
    (void)state;
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        assert_int_equal(supervision.restart_delay, delays[i]);
        await_end(add_worker());
        reap(&supervision);
        assert_null(server->workers);
        assert_int_equal(supervision.missing, i + 1);
    }
}

/* The host program waits for any child, or ignores SIGCHLD: one of ours is gone, and nobody tells how. */
static void one_that_somebody_else_reaped_comes_back(void **state)
{
    (void)state;
    reap_elsewhere(add_worker());
    reap(&supervision);
    assert_null(server->workers);
    assert_int_equal(supervision.missing, 1);
}

/* A child of the host's is still there, so the kernel does not say that all of ours have gone. */
static void a_stop_does_not_wait_for_one_that_somebody_else_reaped(void **state)
{
    int pipes[2];
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    pid_t hosts = fork();
    if (hosts == 0) {
        close(pipes[1]);
        _exit(read(pipes[0], &(char){0}, 1) != 0);
    }
    reap_elsewhere(add_worker());
    supervision.stop_at = sys.now();
    reap(&supervision);
    close(pipes[0]);
    close(pipes[1]);
    assert_null(server->workers);
    assert_int_equal(supervision.missing, 0);
    reap_elsewhere(hosts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(crashes_in_a_row_wait_longer_and_no_longer_than_10_s, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_somebody_else_reaped_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_does_not_wait_for_one_that_somebody_else_reaped, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
