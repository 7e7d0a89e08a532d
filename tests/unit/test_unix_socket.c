#include <errno.h>
#include <fcntl.h>
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
static char directory[64];

static void path_in_use_is_refused(void **state)
{
    char text[128];
    struct stat status;
    int fd;

    (void)state;
    snprintf(text, sizeof text, "unix:%s/used", directory);
    fd = listen_on(text, AF_UNSPEC, &plain);
    assert_true(fd >= 0);
    assert_int_equal(socket_tune(fd, AF_UNIX, &plain), 0);
    check_failure(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "another process listens there");
    close(fd);
    check_failure(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "stale socket that nobody serves");
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
        (void)connect(clients[i], (struct sockaddr *)&name, sizeof name);
    }
    check_failure(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "another process listens there");
    for (size_t i = 0; i < 4; i++)
        close(clients[i]);
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
    check_failure(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "not a socket is in the way");
    assert_int_equal(unlink(text + 5), 0);
    snprintf(text, sizeof text, "unix:%s/none/x", directory);
    check_failure(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "no such file or directory");
}

static void abstract_name_in_use_is_refused(void **state)
{
    char text[128];
    int fd;

    (void)state;
    snprintf(text, sizeof text, "@parley-test-%d", (int)getpid());
    fd = listen_on(text, AF_UNSPEC, &plain);
    assert_true(fd >= 0);
    check_failure(listen_on(text, AF_UNSPEC, &plain), PARLEY_NETWORK, "another process listens there");
    assert_non_null(strstr(parley_error(), text));
    close(fd);
}

/* ---- permissions ---------------------------------------------------------------------------- */

static struct sys before;
static struct sockaddr_un under_way;

/* What anybody may do between bind(2) and listen(2). */
static int looking_listen(int fd, int backlog)
{
    struct stat status;
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(stat(under_way.sun_path, &status), 0);
    assert_int_equal(status.st_mode, S_IFSOCK | 0666);
    assert_int_equal(connect(client, (struct sockaddr *)&under_way, sizeof under_way), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(client);
    return before.listen(fd, backlog);
}

static void permissions_hold_before_anybody_can_connect(void **state)
{
    const struct socket_options options = {.unix_mode = 0666};
    const mode_t mask = umask(0777);
    char text[128];
    int fd;

    (void)state;
    snprintf(text, sizeof text, "unix:%s/mode", directory);
    under_way = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(under_way.sun_path, sizeof under_way.sun_path, "%s/mode", directory);
    before = sys;
    sys.listen = looking_listen;
    fd = listen_on(text, AF_UNSPEC, &options);
    sys = before;
    umask(mask);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(unlink(under_way.sun_path), 0);
    /* Where there is no file, there is nothing to permit. */
    snprintf(text, sizeof text, "@parley-test-%d-mode", (int)getpid());
    fd = listen_on(text, AF_UNSPEC, &options);
    assert_true(fd >= 0);
    close(fd);
}

/* ---- failures of each call ------------------------------------------------------------------ */

static int no_listen(int fd, int backlog)
{
    (void)fd, (void)backlog;
    errno = ENOMEM;
    return -1;
}

static int no_mode(int at, const char *path, mode_t mode, int flags)
{
    (void)at, (void)path, (void)mode, (void)flags;
    errno = EPERM;
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
    const struct socket_options options = {.unix_mode = 0600};
    struct endpoint endpoint = endpoint_of("unix:%s/failed", directory);
    struct address_list list;

    (void)state;
    assert_int_equal(resolve(&endpoint, AF_UNSPEC, true, &list), 0);
    before = sys;
    sys.fchmodat = no_mode;
    check_failure(socket_listen(&list.items[0], &options), PARLEY_RESOURCE, "chmod unix:");
    assert_int_equal(access(endpoint.path, F_OK), -1);
    sys.listen = no_listen;
    check_failure(socket_listen(&list.items[0], &plain), PARLEY_RESOURCE, "listen unix:");
    /* The file that bind(2) made went with it. */
    assert_int_equal(access(endpoint.path, F_OK), -1);
    sys.setsockopt = no_option;
    check_failure(listen_on("127.0.0.1:0", AF_UNSPEC, &plain), PARLEY_NETWORK, "setsockopt 127.0.0.1:0");
    sys.socket = no_socket;
    check_failure(socket_listen(&list.items[0], &plain), PARLEY_RESOURCE, "RLIMIT_NOFILE");
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
        cmocka_unit_test(path_in_use_is_refused),
        cmocka_unit_test(full_path_is_in_use),
        cmocka_unit_test(other_file_is_left_alone),
        cmocka_unit_test(abstract_name_in_use_is_refused),
        cmocka_unit_test(permissions_hold_before_anybody_can_connect),
        cmocka_unit_test(each_call_may_fail),
    };

    return cmocka_run_group_tests(tests, prepare, clean_up);
}
