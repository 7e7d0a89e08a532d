/* Whether an address leads to a server's own listeners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/server.h"
#include "net/resolve.h"

static const parley_handler mute = PARLEY_HANDLER(.name = "mute");

static parley_server *listening(const char *family, const char *address)
{
    parley_server *server = parley_server_new(&mute);

    assert_non_null(server);
    assert_int_equal(parley_set(server, "family", family), 0);
    assert_int_equal(parley_listen(server, address), 0);
    return server;
}

/* Of hosts at the server's own port, or at the next one. */
static bool leads_to(const parley_server *server, const char *host, int further)
{
    char text[64];
    struct address address;

    snprintf(text, sizeof text, "%s:%d", host, parley_listener_port(server, 0) + further);
    assert_int_equal(resolve_literal(text, &address), 0);
    return server_listens_at(server, &address);
}

struct row {
    const char *family, *address, *host;
    bool leads;
};

static void a_host_and_port_of_its_own_are_known(void **state)
{
    static const struct row rows[] = {
        {"any", "127.0.0.1:0", "127.0.0.1", true},
        {"any", "127.0.0.1:0", "0.0.0.0", true},
        {"any", "127.0.0.1:0", "127.0.0.2", false},
        {"any", "127.0.0.1:0", "[::1]", false},
        {"any", "127.0.0.1:0", "192.0.2.1", false},
        {"any", "127.0.0.1:0", "[::ffff:127.0.0.1]", true},
        {"4", "0", "127.0.0.1", true},
        {"4", "0", "127.9.9.9", true},
        {"4", "0", "0.0.0.0", true},
        {"4", "0", "192.0.2.1", false},
        {"4", "0", "[::1]", false},
        {"any", "0", "127.0.0.1", true},
        {"any", "0", "[::1]", true},
        {"any", "0", "[::]", true},
        {"any", "0", "[2001:db8::1]", false},
        {"any", "0", "192.0.2.1", false},
        {"6", "0", "[::1]", true},
        {"6", "0", "127.0.0.1", false},
        {"any", "[::1]:0", "[::1]", true},
        {"any", "[::1]:0", "[::]", true},
        {"any", "[::1]:0", "127.0.0.1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        parley_server *server = listening(rows[i].family, rows[i].address);

        if (leads_to(server, rows[i].host, 0) != rows[i].leads)
            fail_msg("%s on %s with family %s", rows[i].host, rows[i].address, rows[i].family);
        assert_false(leads_to(server, rows[i].host, 1));
        parley_server_free(server);
    }
}

static bool is_own_name(const parley_server *server, const char *text)
{
    struct address address;

    assert_int_equal(resolve_literal(text, &address), 0);
    return server_listens_at(server, &address);
}

static void a_socket_file_is_known_by_any_path(void **state)
{
    char directory[] = "/tmp/parley-test-XXXXXX", path[64], other[64], link[64];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "unix:%s/socket", directory);
    snprintf(other, sizeof other, "unix:%s/./socket", directory);
    snprintf(link, sizeof link, "unix:%s/link", directory);
    parley_server *server = listening("any", path);
    assert_int_equal(symlink("socket", link + 5), 0);
    assert_true(is_own_name(server, path));
    assert_true(is_own_name(server, other));
    assert_true(is_own_name(server, link));
    unlink(link + 5);
    assert_false(is_own_name(server, link));
    assert_false(is_own_name(server, "@parley-test-itself"));
    parley_server_free(server);
    rmdir(directory);
}

static void an_abstract_name_is_known(void **state)
{
    char name[64];

    (void)state;
    snprintf(name, sizeof name, "@parley-test-%d", (int)getpid());
    parley_server *server = listening("any", name);
    assert_true(is_own_name(server, name));
    assert_false(is_own_name(server, "@parley-test"));
    parley_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_and_port_of_its_own_are_known),
        cmocka_unit_test(a_socket_file_is_known_by_any_path),
        cmocka_unit_test(an_abstract_name_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
