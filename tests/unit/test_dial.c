#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/sys.h"
#include "loopback.h"
#include "names.h"
#include "net/dial.h"
#include "net/race.h"

/* Both as short as the thing measured allows, and long enough for a machine under load. */
enum { SOON = 600, NEVER = 20000 };

static struct address reached;

/* ---- calls that can be made to fail --------------------------------------------------------- */

/* Look-ups run in threads, so the table is set once; the tests switch what stands behind it. */
static struct sys real;
static int (*connect_instead)(int fd, const struct sockaddr *address, socklen_t length);
static int (*socket_instead)(int family, int type, int protocol);
static atomic_int allocations_left;

static int switched_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return (connect_instead != NULL ? connect_instead : real.connect)(fd, address, length);
}

static int switched_socket(int family, int type, int protocol)
{
    return (socket_instead != NULL ? socket_instead : real.socket)(family, type, protocol);
}

static bool allocation_fails(void)
{
    errno = ENOMEM;
    return atomic_fetch_sub(&allocations_left, 1) <= 0;
}

static void *scarce_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : real.calloc(count, size);
}

static void *scarce_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : real.realloc(memory, size);
}

static int prepare(void **state)
{
    real = sys;
    sys.connect = switched_connect;
    sys.socket = switched_socket;
    sys.calloc = scarce_calloc;
    sys.realloc = scarce_realloc;
    return remember_baseline(state);
}

/* ---- what dial() tells ---------------------------------------------------------------------- */

static char heard[16384];
static int tries;
static void (*on_try)(int number);

static void listen_in(void *context, const char *sentence)
{
    size_t used = strlen(heard);

    (void)context;
    snprintf(heard + used, sizeof heard - used, "%s\n", sentence);
    if (strncmp(sentence, "trying ", 7) == 0) {
        tries++;
        if (on_try != NULL) {
            on_try(tries);
        }
    }
}

static struct dial_options options_with(int64_t timeout)
{
    return (struct dial_options){.timeout = timeout, .cancel = -1, .progress = listen_in};
}

static int forget(void **state)
{
    (void)state;
    heard[0] = '\0';
    tries = 0;
    on_try = NULL;
    connect_instead = NULL;
    socket_instead = NULL;
    allocations_left = INT_MAX;
    memset(&reached, 0, sizeof reached);
    return 0;
}

static int dial_text(const char *text, const struct dial_options *options)
{
    struct endpoint endpoint = endpoint_of("%s", text);

    return dial(&endpoint, options, &reached);
}

/* Two results may be held at once. */
static const char *port_text(const char *host, int port)
{
    static char texts[2][128];
    static int turn;
    char *text = texts[turn++ % 2];

    snprintf(text, sizeof texts[0], "%s:%d", host, port);
    return text;
}

static const char *reached_text(void)
{
    static char text[ADDRESS_TEXT];

    return address_text((struct sockaddr *)&reached.storage, reached.length, text);
}

static void check_failure(int status, parley_status expected, const char *sentence)
{
    if (status != (int)expected || strstr(parley_error(), sentence) == NULL) {
        fail_msg("%d: %s", status, parley_error());
    }
}

static void check_connected(int fd, const char *peer)
{
    if (fd < 0) {
        fail_msg("%s", parley_error());
    }
    assert_string_equal(reached_text(), peer);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

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
    assert_true(sys.now() - start < SOON);
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
    assert_in_range(sys.now() - start, 300, 300 + SOON);
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
    assert_in_range(sys.now() - start, 300, 300 + SOON);
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
    assert_true(sys.now() - start < SOON);
    assert_int_equal(tries, 1);
    close(cancel_ends[0]);
    close(cancel_ends[1]);
    black_hole_close(&hole);
}

static int interrupted_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int status = real.connect(fd, address, length);

    if (status != 0 && errno == EINPROGRESS) {
        errno = EINTR;
    }
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

/* ---- several addresses ---------------------------------------------------------------------- */

/* FAULTS H3: RFC 8305's reason to be. */
static void refused_ipv6_costs_nothing(void **state)
{
    int port = 0;
    int listener = loopback_listen("127.0.0.1", &port, 5);
    struct dial_options options = options_with(NEVER);
    int64_t start = sys.now();

    (void)state;
    check_connected(dial_text(port_text("localhost", port), &options), port_text("127.0.0.1", port));
    assert_true(sys.now() - start < 250);
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
    assert_in_range(sys.now() - start, 250, SOON);
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
    assert_in_range(sys.now() - start, 400, 400 + SOON);
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
    assert_true(sys.now() - start < 5000);
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
    assert_in_range(sys.now() - start, 100, 100 + SOON);
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
    assert_in_range(sys.now() - start, 150, 300 + SOON);
}

static int late_port;
static int late_listener;

static void listen_at_the_third(int number)
{
    if (number == 3) {
        late_listener = loopback_listen("127.0.0.1", &late_port, 5);
    }
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
    assert_in_range(sys.now() - start, 400, 400 + SOON);
}

static void mistakes_are_not_repeated(void **state)
{
    struct dial_options options = options_with(NEVER);

    (void)state;
    options.retries = 5;
    check_failure(dial_text("[fe80::1%none0]:80", &options), PARLEY_USAGE, "no interface has the name");
    assert_int_equal(tries, 0);
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
    if (fd < 0) {
        fail_msg("%s", parley_error());
    }
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
    check_failure(dial_text("127.0.0.1:9", &options), PARLEY_NETWORK,
                  "resolve 127.0.0.1: the name has no address");
    options.bind = "127.0.0.1";
    check_failure(dial_text("@nobody", &options), PARLEY_USAGE, "dialled from no local address");
}

/* ---- unix sockets --------------------------------------------------------------------------- */

static int unix_listen(const char *name, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path + 1, name);
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
    if (++connects == 5) {
        close(accept(crowded_listener, NULL, NULL));
    }
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

#define DIAL_TEST(test) cmocka_unit_test_setup_teardown(test, forget, forget)

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
        DIAL_TEST(refused_ipv6_costs_nothing),
        DIAL_TEST(silent_ipv6_costs_a_quarter_second),
        DIAL_TEST(unreachable_ipv6_is_not_the_reason),
        DIAL_TEST(deadline_covers_all_addresses),
        DIAL_TEST(last_of_a_thousand_is_reached),
        DIAL_TEST(want_of_descriptors_waits_for_its_own),
        DIAL_TEST(deadline_covers_the_name),
        DIAL_TEST(unknown_names_are_said),
        DIAL_TEST(rounds_are_counted_and_spaced),
        DIAL_TEST(a_later_round_may_succeed),
        DIAL_TEST(deadline_covers_the_pauses),
        DIAL_TEST(mistakes_are_not_repeated),
        DIAL_TEST(binds_as_told),
        DIAL_TEST(wrong_local_addresses_are_refused),
        DIAL_TEST(full_unix_listener_is_tried_again),
        DIAL_TEST(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, prepare, check_baseline);
}
