#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sys.h"
#include "engine/conn.h"
#include "net/address.h"

static struct parley_conn conn;

static struct sockaddr_in6 ipv6_of(const char *text, uint32_t scope)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(4000), .sin6_flowinfo = 7, .sin6_scope_id = scope};
    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return address;
}

/* What was remembered comes back to the last bit. */
static void check_kept(const void *address, socklen_t length, enum peer_kind kind)
{
    struct sockaddr_storage back;

    assert_int_equal(conn_set_peer(&conn, address), 0);
    assert_int_equal(conn.peer_kind, kind);
    assert_int_equal(conn_peer(&conn, &back), length);
    assert_memory_equal(&back, address, length);
}

static void check_text(const char *expected)
{
    assert_string_equal(parley_peer(&conn), expected);
}

static void keeps_what_it_is_given(void **state)
{
    struct sockaddr_in ipv4 = {
        .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x7f000001)};
    struct sockaddr_in6 global = ipv6_of("2001:db8::1", 0), local = ipv6_of("fe80::1", 1);
    struct sockaddr_in6 mapped = ipv6_of("::ffff:192.0.2.1", 0);

    (void)state;
    mapped.sin6_flowinfo = 0; /* IPv4 has none */
    check_kept(&ipv4, sizeof ipv4, PEER_IPV4);
    check_text("127.0.0.1:80");
    check_kept(&global, sizeof global, PEER_IPV6);
    check_text("[2001:db8::1]:4000");
    check_kept(&local, sizeof local, PEER_IPV6);
    check_text("[fe80::1%lo]:4000");
    check_kept(&mapped, sizeof mapped, PEER_MAPPED);
    check_text("192.0.2.1:4000");
    conn_forget_peer(&conn);
}

static void knows_none(void **state)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    struct sockaddr_storage back;

    (void)state;
    conn.fd = -1;
    assert_int_equal(conn_set_peer(&conn, (struct sockaddr *)&path), 0);
    assert_int_equal(conn.peer_kind, PEER_UNIX);
    check_text("unix");
    assert_int_equal(conn_set_peer(&conn, NULL), 0);
    assert_int_equal(conn_peer(&conn, &back), sizeof back.ss_family);
    assert_int_equal(back.ss_family, AF_UNSPEC);
    check_text("unknown");
}

static void *refuse_malloc(size_t size)
{
    (void)size;
    errno = ENOMEM;
    return NULL;
}

static void without_memory_it_is_not_known(void **state)
{
    struct sockaddr_in6 global = ipv6_of("2001:db8::1", 0), mapped = ipv6_of("::ffff:192.0.2.1", 0);
    void *(*real)(size_t) = sys.malloc;

    (void)state;
    sys.malloc = refuse_malloc;
    int refused = conn_set_peer(&conn, (struct sockaddr *)&global);
    enum peer_kind unknown = conn.peer_kind;
    int kept = conn_set_peer(&conn, (struct sockaddr *)&mapped);
    sys.malloc = real;
    assert_int_equal(refused, -1);
    assert_int_equal(unknown, PEER_UNKNOWN);
    assert_int_equal(kept, 0);
    conn_forget_peer(&conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_it_is_given),
        cmocka_unit_test(knows_none),
        cmocka_unit_test(without_memory_it_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
