#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "loopback.h"
#include "net/resolve.h"
#include "net/socket.h"

static const struct socket_options plain = {.nodelay = true};

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static int port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    return address_port((struct sockaddr *)&name);
}

static bool reaches(int family, const char *number, int port)
{
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(family, SOCK_STREAM, 0);
    bool reached;

    if (family == AF_INET) {
        inet_pton(family, number, &inet.sin_addr);
        reached = connect(fd, (struct sockaddr *)&inet, sizeof inet) == 0;
    } else {
        inet_pton(family, number, &inet6.sin6_addr);
        reached = connect(fd, (struct sockaddr *)&inet6, sizeof inet6) == 0;
    }
    close(fd);
    return reached;
}

/* ---- TCP ------------------------------------------------------------------------------------ */

static void wildcard_takes_both_families(void **state)
{
    int fd = listen_on("0", AF_UNSPEC, &plain);

    (void)state;
    assert_true(fd >= 0);
    assert_true(reaches(AF_INET, "127.0.0.1", port_of(fd)));
    assert_true(reaches(AF_INET6, "::1", port_of(fd)));
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    close(fd);
}

static void wildcard_can_be_ipv6_alone(void **state)
{
    struct socket_options options = {.only_ipv6 = true};
    int fd = listen_on("0", AF_INET6, &options);

    (void)state;
    assert_true(fd >= 0);
    assert_false(reaches(AF_INET, "127.0.0.1", port_of(fd)));
    assert_true(reaches(AF_INET6, "::1", port_of(fd)));
    close(fd);
}

static void family_chooses_the_wildcard(void **state)
{
    int fd = listen_on("0", AF_INET, &plain);

    (void)state;
    assert_true(fd >= 0);
    assert_true(reaches(AF_INET, "127.0.0.1", port_of(fd)));
    assert_false(reaches(AF_INET6, "::1", port_of(fd)));
    close(fd);
}

static void port_in_use_is_said(void **state)
{
    char text[64];
    int fd = listen_on("127.0.0.1:0", AF_UNSPEC, &plain);

    (void)state;
    snprintf(text, sizeof text, "127.0.0.1:%d", port_of(fd));
    check_failure(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "address already in use (it is taken");
    assert_non_null(strstr(parley_error(), text));
    close(fd);
}

static void foreign_address_is_said(void **state)
{
    (void)state;
    check_failure(listen_on("192.0.2.1:0", AF_UNSPEC, &plain), PARLEY_NETWORK,
                  "bind 192.0.2.1:0: cannot assign requested address (no interface");
}

static int denied_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)address, (void)length;
    errno = EACCES;
    return -1;
}

static void denied_port_is_said(void **state)
{
    int (*bind_before)(int, const struct sockaddr *, socklen_t) = sys.bind;

    (void)state;
    sys.bind = denied_bind;
    check_failure(listen_on("127.0.0.1:80", AF_UNSPEC, &plain), PARLEY_RESOURCE,
                  "bind 127.0.0.1:80: permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)");
    sys.bind = bind_before;
}

static void reuseport_shares_a_port(void **state)
{
    struct socket_options options = {.reuseport = true};
    char text[64];
    int first = listen_on("127.0.0.1:0", AF_UNSPEC, &options);
    int second;

    (void)state;
    snprintf(text, sizeof text, "127.0.0.1:%d", port_of(first));
    second = listen_on(text, AF_UNSPEC, &options);
    assert_true(second >= 0);
    close(first);
    close(second);
}

/* The queue holds one more than the backlog; ss shows it, the kernel says it in tcpi_sacked. */
static void backlog_is_passed_on(void **state)
{
    struct socket_options options = {.backlog = 7};
    struct tcp_info info;
    socklen_t size = sizeof info;
    int fd = listen_on("127.0.0.1:0", AF_UNSPEC, &options);

    (void)state;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    assert_int_equal(info.tcpi_sacked, 7);
    close(fd);
    fd = listen_on("127.0.0.1:0", AF_UNSPEC, &plain);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    assert_true(info.tcpi_sacked >= 128);
    close(fd);
}

static void tuning_sets_what_was_asked(void **state)
{
    struct socket_options options = {.nodelay = true, .keepalive = 30, .receive_buffer = 65536};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int buffer = option_of(fd, SOL_SOCKET, SO_SNDBUF);

    (void)state;
    assert_int_equal(socket_tune(fd, AF_INET, &options), 0);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), 2 * 65536);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_SNDBUF), buffer);
    close(fd);
}

static void tuning_leaves_the_rest_alone(void **state)
{
    struct socket_options options = {.nodelay = false};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int buffer = option_of(fd, SOL_SOCKET, SO_RCVBUF);

    (void)state;
    assert_int_equal(socket_tune(fd, AF_INET, &options), 0);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), buffer);
    close(fd);
}

/* Linux hands a listener's options on to what it accepts; the engine relies on it to save a call per client.
 */
static void accepted_connections_inherit(void **state)
{
    struct socket_options options = {.nodelay = true, .keepalive = 30};
    int listener = listen_on("127.0.0.1:0", AF_UNSPEC, &options), client = socket(AF_INET, SOCK_STREAM, 0),
        fd;
    struct sockaddr_in local;
    socklen_t length = sizeof local;

    (void)state;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&local, &length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&local, length), 0);
    fd = accept(listener, NULL, NULL);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
    close(fd);
    close(client);
    close(listener);
}

static void tuning_fails_cleanly(void **state)
{
    struct socket_options impossible = {.keepalive = 1000000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(socket_tune(fd, AF_INET, &impossible), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(socket_tune(-1, AF_INET, &plain), -1);
    assert_int_equal(errno, EBADF);
    close(fd);
}

static void blocking_is_switched(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(socket_set_blocking(fd, false), 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(socket_set_blocking(fd, true), 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    close(fd);
    assert_int_equal(socket_set_blocking(-1, true), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcard_takes_both_families), cmocka_unit_test(wildcard_can_be_ipv6_alone),
        cmocka_unit_test(family_chooses_the_wildcard),  cmocka_unit_test(port_in_use_is_said),
        cmocka_unit_test(foreign_address_is_said),      cmocka_unit_test(denied_port_is_said),
        cmocka_unit_test(reuseport_shares_a_port),      cmocka_unit_test(backlog_is_passed_on),
        cmocka_unit_test(tuning_sets_what_was_asked),   cmocka_unit_test(tuning_leaves_the_rest_alone),
        cmocka_unit_test(accepted_connections_inherit), cmocka_unit_test(tuning_fails_cleanly),
        cmocka_unit_test(blocking_is_switched),
    };

    return cmocka_run_group_tests(tests, remember_baseline, check_baseline);
}
