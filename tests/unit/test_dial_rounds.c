#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dialling.h"
#include "loopback.h"
#include "names.h"

/* ---- names ---------------------------------------------------------------------------------- */

static void deadline_covers_the_name(void **state)
{
    struct dial_options options = options_with(100);
    int64_t start = sys.now();

    (void)state;
    names_hold();
    options.retries = 3;
    check_failure(dial_text("hang.test:80", &options), PARLEY_TIMEOUT,
                  "resolve hang.test: timed out after 100 ms");
    check_waited(start, 100, 100);
    names_release();
    assert_true(threads_gone());
}

static void unknown_names_are_said(void **state)
{
    struct dial_options options = options_with(NEVER);

    (void)state;
    check_failure(dial_text("missing.test:80", &options), PARLEY_NETWORK,
                  "resolve missing.test: name or service");
    options.timeout = 0;
    check_failure(dial_text("missing.test:80", &options), PARLEY_NETWORK,
                  "resolve missing.test: name or service");
    assert_int_equal(tries, 0);
}

/* ---- rounds --------------------------------------------------------------------------------- */

static void rounds_are_counted_and_spaced(void **state)
{
    struct dial_options options = options_with(NEVER);
    int64_t start = sys.now();

    (void)state;
    options.retries = 2;
    check_failure(dial_text(port_text("127.0.0.1", loopback_free_port()), &options), PARLEY_NETWORK,
                  "refused");
    assert_int_equal(tries, 3);
    /* 50 to 100 ms, then 100 to 200 ms. */
    check_waited(start, 150, 300);
}

static int late_port;
static int late_listener;

static void listen_at_the_third(int number)
{
    if (number == 3)
        late_listener = loopback_listen("127.0.0.1", &late_port, 5);
}

static void a_later_round_may_succeed(void **state)
{
    struct dial_options options = options_with(NEVER);

    (void)state;
    late_port = loopback_free_port();
    on_try = listen_at_the_third;
    options.retries = 5;
    check_connected(dial_text(port_text("127.0.0.1", late_port), &options),
                    port_text("127.0.0.1", late_port));
    assert_int_equal(tries, 3);
    close(late_listener);
}

static void deadline_covers_the_pauses(void **state)
{
    struct dial_options options = options_with(400);
    int64_t start = sys.now();

    (void)state;
    options.retries = 1000;
    check_failure(dial_text(port_text("127.0.0.1", loopback_free_port()), &options), PARLEY_TIMEOUT,
                  "timed out after 400 ms (last: connect 127.0.0.1:");
    check_waited(start, 400, 400);
}

static void mistakes_are_not_repeated(void **state)
{
    struct dial_options options = options_with(NEVER);

    (void)state;
    options.retries = 5;
    check_failure(dial_text("[fe80::1%none0]:80", &options), PARLEY_USAGE, "no interface has the name");
    assert_int_equal(tries, 0);
}

/* ---- unix sockets --------------------------------------------------------------------------- */

static int unix_listen(const char *name, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, name, strlen(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
                     0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static int crowded_listener;
static int connects;

static int make_room_at_the_fifth(int fd, const struct sockaddr *address, socklen_t length)
{
    if (++connects == 5)
        close(accept(crowded_listener, NULL, NULL));
    return real.connect(fd, address, length);
}

static void full_unix_listener_is_tried_again(void **state)
{
    struct dial_options options = options_with(100);
    char name[64];
    char text[80];
    int first;

    (void)state;
    snprintf(name, sizeof name, "parley-test-%d", (int)getpid());
    snprintf(text, sizeof text, "@%s", name);
    crowded_listener = unix_listen(name, 0);
    first = dial_text(text, &options);
    assert_true(first >= 0);
    check_failure(dial_text(text, &options), PARLEY_TIMEOUT, "timed out after 100 ms");
    assert_int_equal(tries, 2);
    connect_instead = make_room_at_the_fifth;
    connects = 0;
    options.timeout = NEVER;
    check_connected(dial_text(text, &options), text);
    assert_int_equal(connects, 5);
    close(first);
    close(crowded_listener);
    check_failure(dial_text(text, &options), PARLEY_NETWORK, "connection refused (nothing listens there)");
    check_failure(dial_text("unix:/nowhere/at/all", &options), PARLEY_NETWORK,
                  "connect unix:/nowhere/at/all: no such file or directory (no server has made it)");
}

/* ---- allocation ----------------------------------------------------------------------------- */

/* FAULTS C1: each allocation in turn. The sanitizer and the fixtures see what is left behind. */
static void every_allocation_may_fail(void **state)
{
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(NEVER);
    int fd = -1;
    int failures = 0;

    (void)state;
    options.bind = "127.0.0.1";
    for (int n = 0; n < 50 && fd < 0; n++) {
        allocations_left = n;
        fd = dial_text(port_text("four.test", port), &options);
        if (fd < 0) {
            check_failure(fd, PARLEY_RESOURCE, "cannot allocate memory");
            failures++;
        }
    }
    assert_true(failures >= 5);
    check_connected(fd, port_text("127.0.0.1", port));
    assert_true(threads_gone());
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIAL_TEST(deadline_covers_the_name),          DIAL_TEST(unknown_names_are_said),
        DIAL_TEST(rounds_are_counted_and_spaced),     DIAL_TEST(a_later_round_may_succeed),
        DIAL_TEST(deadline_covers_the_pauses),        DIAL_TEST(mistakes_are_not_repeated),
        DIAL_TEST(full_unix_listener_is_tried_again), DIAL_TEST(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, switch_calls, check_baseline);
}
