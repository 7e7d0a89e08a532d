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

#include "engine/sys.h"
#include "loopback.h"
#include "net/resolve.h"
#include "net/socket.h"

static const struct socket_options plain = {.nodelay = true};
static char directory[64];

static int listen_on(const char *text, int family, const struct socket_options *options)
{
    struct endpoint endpoint = endpoint_of("%s", text);
    struct address_list list;
    int fd;

    assert_int_equal(resolve(&endpoint, family, true, &list), 0);
    fd = socket_listen(&list.items[0], options);
    address_list_free(&list);
    return fd;
}

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

static void check_refused(int status, parley_status expected, const char *sentence)
{
    assert_int_equal(status, expected);
    if (strstr(parley_error(), sentence) == NULL) {
        fail_msg("%s", parley_error());
    }
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
    check_refused(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK,
                  "address already in use (another process");
    assert_non_null(strstr(parley_error(), text));
    close(fd);
}

static void foreign_address_is_said(void **state)
{
    (void)state;
    check_refused(listen_on("192.0.2.1:0", AF_UNSPEC, &plain), PARLEY_NETWORK,
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
    check_refused(listen_on("127.0.0.1:80", AF_UNSPEC, &plain), PARLEY_RESOURCE,
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
    assert_int_equal(socket_tune(fd, AF_INET, &options, true), 0);
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
    struct socket_options options = {.receive_buffer = 65536};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int buffer = option_of(fd, SOL_SOCKET, SO_RCVBUF);

    (void)state;
    assert_int_equal(socket_tune(fd, AF_INET, &options, false), 0);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), buffer);
    close(fd);
}

static void tuning_fails_cleanly(void **state)
{
    struct socket_options impossible = {.keepalive = 1000000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(socket_tune(fd, AF_INET, &impossible, false), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(socket_tune(-1, AF_INET, &plain, false), -1);
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

/* ---- unix sockets --------------------------------------------------------------------------- */

static void path_in_use_is_refused(void **state)
{
    char text[128];
    struct stat status;
    int fd;

    (void)state;
    snprintf(text, sizeof text, "unix:%s/used", directory);
    fd = listen_on(text, AF_UNSPEC, &plain);
    assert_true(fd >= 0);
    assert_int_equal(socket_tune(fd, AF_UNIX, &plain, false), 0);
    check_refused(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "another process listens there");
    close(fd);
    check_refused(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "stale socket that nobody serves");
    /* Said, and left where it is. */
    assert_int_equal(stat(text + 5, &status), 0);
    assert_int_equal(unlink(text + 5), 0);
}

static void full_path_is_in_use(void **state)
{
    struct socket_options options = {.backlog = 1};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char text[128];
    int clients[4];
    int fd;

    (void)state;
    snprintf(text, sizeof text, "unix:%s/full", directory);
    snprintf(name.sun_path, sizeof name.sun_path, "%s/full", directory);
    fd = listen_on(text, AF_UNSPEC, &options);
    for (size_t i = 0; i < 4; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(clients[i], (struct sockaddr *)&name, sizeof name);
    }
    check_refused(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "another process listens there");
    for (size_t i = 0; i < 4; i++) {
        close(clients[i]);
    }
    close(fd);
    unlink(name.sun_path);
}

static void other_file_is_left_alone(void **state)
{
    char text[128];
    int file;

    (void)state;
    snprintf(text, sizeof text, "unix:%s/file", directory);
    file = open(text + 5, O_CREAT | O_WRONLY, 0600);
    close(file);
    check_refused(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "not a socket is in the way");
    assert_int_equal(unlink(text + 5), 0);
    snprintf(text, sizeof text, "unix:%s/none/x", directory);
    check_refused(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "no such file or directory");
}

static void abstract_name_in_use_is_refused(void **state)
{
    char text[128];
    int fd;

    (void)state;
    snprintf(text, sizeof text, "@parley-test-%d", (int)getpid());
    fd = listen_on(text, AF_UNSPEC, &plain);
    assert_true(fd >= 0);
    check_refused(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "another process listens there");
    assert_non_null(strstr(parley_error(), text));
    close(fd);
}

/* ---- failures of each call ------------------------------------------------------------------ */

static int no_listen(int fd, int backlog)
{
    (void)fd, (void)backlog;
    errno = ENOMEM;
    return -1;
}

static int no_option(int fd, int level, int name, const void *value, socklen_t size)
{
    (void)fd, (void)level, (void)name, (void)value, (void)size;
    errno = ENOPROTOOPT;
    return -1;
}

static int no_socket(int family, int type, int protocol)
{
    (void)family, (void)type, (void)protocol;
    errno = EMFILE;
    return -1;
}

static void each_call_may_fail(void **state)
{
    struct sys before = sys;
    struct endpoint endpoint = endpoint_of("unix:%s/failed", directory);
    struct address_list list;

    (void)state;
    assert_int_equal(resolve(&endpoint, AF_UNSPEC, true, &list), 0);
    sys.listen = no_listen;
    check_refused(socket_listen(&list.items[0], &plain), PARLEY_RESOURCE, "listen unix:");
    /* The file that bind(2) made went with it. */
    assert_int_equal(access(endpoint.path, F_OK), -1);
    sys.setsockopt = no_option;
    check_refused(listen_on("127.0.0.1:0", AF_UNSPEC, &plain), PARLEY_NETWORK, "setsockopt 127.0.0.1:0");
    sys.socket = no_socket;
    check_refused(socket_listen(&list.items[0], &plain), PARLEY_RESOURCE, "RLIMIT_NOFILE");
    sys = before;
    address_list_free(&list);
}

static int prepare(void **state)
{
    snprintf(directory, sizeof directory, "/tmp/parley-test-XXXXXX");
    return remember_baseline(state) != 0 || mkdtemp(directory) == NULL;
}

static int clean_up(void **state)
{
    return rmdir(directory) != 0 || check_baseline(state) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wildcard_takes_both_families), cmocka_unit_test(wildcard_can_be_ipv6_alone),
        cmocka_unit_test(family_chooses_the_wildcard),  cmocka_unit_test(port_in_use_is_said),
        cmocka_unit_test(foreign_address_is_said),      cmocka_unit_test(denied_port_is_said),
        cmocka_unit_test(reuseport_shares_a_port),      cmocka_unit_test(backlog_is_passed_on),
        cmocka_unit_test(tuning_sets_what_was_asked),   cmocka_unit_test(tuning_leaves_the_rest_alone),
        cmocka_unit_test(tuning_fails_cleanly),         cmocka_unit_test(blocking_is_switched),
        cmocka_unit_test(path_in_use_is_refused),       cmocka_unit_test(full_path_is_in_use),
        cmocka_unit_test(other_file_is_left_alone),     cmocka_unit_test(abstract_name_in_use_is_refused),
        cmocka_unit_test(each_call_may_fail),
    };

    return cmocka_run_group_tests(tests, prepare, clean_up);
}
