#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dialling.h"
#include "loopback.h"

/* ---- one address ---------------------------------------------------------------------------- */

static void reaches_a_listener(void **state)
{
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(0);
    int nodelay = 0;
    socklen_t size = sizeof nodelay;
    int fd = dial_text(port_text("127.0.0.1", port), &options);

    (void)state;
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size);
    assert_int_equal(nodelay, 1);
    check_connected(fd, port_text("127.0.0.1", port));
    assert_non_null(strstr(heard, "connected to 127.0.0.1:"));
    close(listener);
}

static void refusal_is_said_at_once(void **state)
{
    int port = loopback_free_port();
    struct dial_options options = options_with(NEVER);
    char sentence[128];
    int64_t start = sys.now();

    (void)state;
    snprintf(sentence, sizeof sentence, "connect 127.0.0.1:%d: connection refused (nothing listens there)",
             port);
    check_failure(dial_text(port_text("127.0.0.1", port), &options), PARLEY_NETWORK, sentence);
    assert_string_equal(parley_error(), sentence);
    check_waited(start, 0, 0);
}

static void silence_ends_at_the_deadline(void **state)
{
    int port = 0;
    struct black_hole hole = black_hole_open("127.0.0.1", &port);
    struct dial_options options = options_with(300);
    char sentence[128];
    int64_t start = sys.now();

    (void)state;
    snprintf(sentence, sizeof sentence, "connect 127.0.0.1:%d: timed out after 300 ms", port);
    check_failure(dial_text(port_text("127.0.0.1", port), &options), PARLEY_TIMEOUT, sentence);
    check_waited(start, 300, 300);
    black_hole_close(&hole);
}

static void ignore(int signal_number)
{
    (void)signal_number;
}

/* FAULTS B2: a signal a millisecond moves no deadline. */
static void signals_do_not_stretch_it(void **state)
{
    int port = 0;
    struct black_hole hole = black_hole_open("127.0.0.1", &port);
    struct dial_options options = options_with(300);
    struct itimerval storm = {{0, 1000}, {0, 1000}};
    struct sigaction action = {.sa_handler = ignore};
    int64_t start = sys.now();

    (void)state;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &storm, NULL);
    check_failure(dial_text(port_text("127.0.0.1", port), &options), PARLEY_TIMEOUT,
                  "timed out after 300 ms");
    check_waited(start, 300, 300); /* a deadline that moves never comes */
    memset(&storm, 0, sizeof storm);
    setitimer(ITIMER_REAL, &storm, NULL);
    black_hole_close(&hole);
}

static int cancel_ends[2];

static void cancel_it(int number)
{
    (void)number;
    assert_int_equal(write(cancel_ends[1], "x", 1), 1);
}

static void can_be_cancelled(void **state)
{
    int port = 0;
    struct black_hole hole = black_hole_open("127.0.0.1", &port);
    struct dial_options options = options_with(0);
    int64_t start = sys.now();

    (void)state;
    assert_int_equal(pipe(cancel_ends), 0);
    options.cancel = cancel_ends[0];
    options.retries = 5;
    on_try = cancel_it;
    check_failure(dial_text(port_text("127.0.0.1", port), &options), PARLEY_STALE, "cancelled");
    check_waited(start, 0, 0);
    assert_int_equal(tries, 1);
    close(cancel_ends[0]);
    close(cancel_ends[1]);
    black_hole_close(&hole);
}

static int interrupted_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int status = real.connect(fd, address, length);

    if (status != 0 && errno == EINPROGRESS)
        errno = EINTR;
    return status;
}

/* FAULTS H4: connect(2) that was interrupted goes on, and is waited for. */
static void interrupted_connect_is_waited_for(void **state)
{
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(NEVER);

    (void)state;
    connect_instead = interrupted_connect;
    check_connected(dial_text(port_text("127.0.0.1", port), &options), port_text("127.0.0.1", port));
    assert_int_equal(tries, 1);
    close(listener);
    check_failure(dial_text(port_text("127.0.0.1", port), &options), PARLEY_NETWORK, "connection refused");
}

static int no_local_port(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)address, (void)length;
    errno = EADDRNOTAVAIL;
    return -1;
}

static void failing_calls_are_named(void **state)
{
    struct dial_options options = options_with(NEVER);
    struct socket_options impossible = {.keepalive = 1000000};

    (void)state;
    connect_instead = no_local_port;
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_NETWORK,
                  "connect 127.0.0.1:9: cannot assign requested address (no local port is free for it)");
    connect_instead = NULL;
    options.socket = &impossible;
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_RESOURCE,
                  "setsockopt 127.0.0.1:9: invalid argument");
}

static void port_zero_is_refused(void **state)
{
    struct dial_options options = options_with(NEVER);

    (void)state;
    check_failure(dial_text("localhost:0", &options), PARLEY_USAGE, "connect localhost:0: nobody can listen");
    check_failure(dial_text("[::1]:00", &options), PARLEY_USAGE, "connect [::1]:00: nobody can listen");
}

/* FAULTS B14. */
static void connecting_to_oneself_is_a_refusal(void **state)
{
    int port = loopback_free_port();
    struct dial_options options = options_with(NEVER);
    char bind_text[64];
    int listener;

    (void)state;
    snprintf(bind_text, sizeof bind_text, "127.0.0.1:%d", port);
    options.bind = bind_text;
    check_failure(dial_text(bind_text, &options), PARLEY_NETWORK, "connection refused");
    /* The port is free for the server that was meant. */
    listener = loopback_listen("127.0.0.1", &port, 5);
    close(listener);
}

/* ---- the local address ---------------------------------------------------------------------- */

static void check_bound(const char *target, const char *local, const char *expected)
{
    struct dial_options options = options_with(NEVER);
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    char text[ADDRESS_TEXT];
    int fd;

    options.bind = local;
    fd = dial_text(target, &options);
    if (fd < 0)
        fail_msg("%s", parley_error());
    getsockname(fd, (struct sockaddr *)&name, &length);
    address_text((struct sockaddr *)&name, length, text);
    assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
    close(fd);
}

static void binds_as_told(void **state)
{
    int port = 0;
    int first = loopback_listen("127.0.0.1", &port, 5);
    int second = loopback_listen("::1", &port, 5);
    int free_port = loopback_free_port();
    char target[64];
    char local[64];
    char expected[64];

    (void)state;
    snprintf(target, sizeof target, "localhost:%d", port);
    check_bound(target, "127.0.0.2", "127.0.0.2:");
    check_bound(target, "::1", "[::1]:");
    check_bound(target, "[::1]", "[::1]:");
    check_bound(target, "127.0.0.2:0", "127.0.0.2:");
    snprintf(local, sizeof local, "127.0.0.3:%d", free_port);
    check_bound(target, local, local);
    snprintf(local, sizeof local, ":%d", free_port);
    snprintf(expected, sizeof expected, "[::1]:%d", free_port);
    check_bound(target, local, expected);
    close(first);
    close(second);
}

static void wrong_local_addresses_are_refused(void **state)
{
    struct dial_options options = options_with(NEVER);

    (void)state;
    options.bind = "example.org";
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_USAGE,
                  "bind \"example.org\": a local address is a number");
    options.bind = "1.2.3.4:99999";
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_USAGE,
                  "bind \"1.2.3.4:99999\": not a local address");
    options.bind = "@x";
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_USAGE, "a local address is a number");
    options.bind = "192.0.2.1";
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_NETWORK,
                  "bind 192.0.2.1:0: cannot assign requested address (no interface of this machine has it)");
    options.bind = "::1";
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_USAGE,
                  "bind \"::1\": 127.0.0.1 cannot be reached from there: give an IPv4 address for both");
    options.bind = "127.0.0.1";
    check_failure(dial_text("@nobody", &options), PARLEY_USAGE, "dialled from no local address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIAL_TEST(reaches_a_listener),
        DIAL_TEST(refusal_is_said_at_once),
        DIAL_TEST(silence_ends_at_the_deadline),
        DIAL_TEST(signals_do_not_stretch_it),
        DIAL_TEST(can_be_cancelled),
        DIAL_TEST(interrupted_connect_is_waited_for),
        DIAL_TEST(failing_calls_are_named),
        DIAL_TEST(port_zero_is_refused),
        DIAL_TEST(connecting_to_oneself_is_a_refusal),
        DIAL_TEST(binds_as_told),
        DIAL_TEST(wrong_local_addresses_are_refused),
    };

    return cmocka_run_group_tests(tests, switch_calls, check_baseline);
}
