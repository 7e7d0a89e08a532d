#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dialling.h"
#include "loopback.h"

/* FAULTS H3: RFC 8305's reason to be. */
static void refused_ipv6_costs_nothing(void **state)
{
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(NEVER);
    int64_t start = sys.now();

    (void)state;
    check_connected(dial_text(port_text("localhost", port), &options), port_text("127.0.0.1", port));
    check_waited(start, 0, 0);
    assert_int_equal(strncmp(heard, "localhost is ::1, 127.0.0.1\ntrying [::1]:", 41), 0);
    assert_non_null(strstr(heard, "connection refused (nothing listens there)\ntrying 127.0.0.1:"));
    close(listener);
}

static void silent_ipv6_costs_a_quarter_second(void **state)
{
    int port = 0;
    struct black_hole hole = black_hole_open("::1", &port);
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(NEVER);
    int64_t start = sys.now();

    (void)state;
    check_connected(dial_text(port_text("both.test", port), &options), port_text("127.0.0.1", port));
    check_waited(start, 250, 250);
    close(listener);
    black_hole_close(&hole);
}

static int no_ipv6_route(int fd, const struct sockaddr *address, socklen_t length)
{
    if (address->sa_family == AF_INET6) {
        errno = ENETUNREACH;
        return -1;
    }
    return real.connect(fd, address, length);
}

static void unreachable_ipv6_is_not_the_reason(void **state)
{
    int port = loopback_free_port();
    struct dial_options options = options_with(NEVER);
    char sentence[160];

    (void)state;
    connect_instead = no_ipv6_route;
    snprintf(
        sentence, sizeof sentence,
        "connect 127.0.0.1:%d: connection refused (nothing listens there); tried 2 addresses of localhost:%d",
        port, port);
    check_failure(dial_text(port_text("localhost", port), &options), PARLEY_NETWORK, sentence);
    assert_string_equal(parley_error(), sentence);
}

static void deadline_covers_all_addresses(void **state)
{
    int port = 0;
    struct black_hole first = black_hole_open("::1", &port);
    struct black_hole second = black_hole_open("127.0.0.1", &port);
    struct dial_options options = options_with(400);
    char sentence[128];
    int64_t start = sys.now();

    (void)state;
    options.retries = 3;
    snprintf(sentence, sizeof sentence, "connect localhost:%d: timed out after 400 ms", port);
    check_failure(dial_text(port_text("localhost", port), &options), PARLEY_TIMEOUT, sentence);
    check_waited(start, 400, 400);
    assert_int_equal(tries, 2);
    black_hole_close(&first);
    black_hole_close(&second);
}

/* FAULTS H2: 1,000 addresses, all but the last fail. */
static void last_of_a_thousand_is_reached(void **state)
{
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(NEVER);
    int64_t start = sys.now();

    (void)state;
    check_connected(dial_text(port_text("many.test", port), &options), port_text("127.0.0.1", port));
    assert_int_equal(tries, 1000);
    check_waited(start, 0, 0);
    assert_non_null(strstr(heard, "127.1.0.8 and 992 more\n"));
    close(listener);
}

static int sockets_left;

static int few_sockets(int family, int type, int protocol)
{
    if (sockets_left-- == 0) {
        errno = EMFILE;
        return -1;
    }
    return real.socket(family, type, protocol);
}

static void want_of_descriptors_waits_for_its_own(void **state)
{
    int port = 0;
    struct black_hole hole = black_hole_open("::1", &port);
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(NEVER);

    (void)state;
    socket_instead = few_sockets;
    sockets_left = 1;
    check_connected(dial_text(port_text("localhost", port), &options), port_text("127.0.0.1", port));
    sockets_left = 0;
    check_failure(dial_text(port_text("127.0.0.1", port), &options), PARLEY_RESOURCE, "RLIMIT_NOFILE");
    close(listener);
    black_hole_close(&hole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIAL_TEST(refused_ipv6_costs_nothing),         DIAL_TEST(silent_ipv6_costs_a_quarter_second),
        DIAL_TEST(unreachable_ipv6_is_not_the_reason), DIAL_TEST(deadline_covers_all_addresses),
        DIAL_TEST(last_of_a_thousand_is_reached),      DIAL_TEST(want_of_descriptors_waits_for_its_own),
    };

    return cmocka_run_group_tests(tests, switch_calls, check_baseline);
}
