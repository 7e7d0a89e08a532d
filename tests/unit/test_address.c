#include <arpa/inet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/address.h"

/* ---- what is taken -------------------------------------------------------------------------- */

static void check_inet(const char *text, const char *host, const char *port)
{
    struct endpoint endpoint;

    if (endpoint_parse(&endpoint, text) != 0)
        fail_msg("%s: %s", text, parley_error());
    assert_int_equal(endpoint.kind, ENDPOINT_INET);
    assert_string_equal(endpoint.host, host);
    assert_string_equal(endpoint.port, port);
}

static void takes_every_form(void **state)
{
    (void)state;
    check_inet("3000", "", "3000");
    check_inet(":3000", "", "3000");
    check_inet(":http", "", "http");
    check_inet(":0", "", "0");
    check_inet("host:3000", "host", "3000");
    check_inet("host 3000", "host", "3000");
    check_inet("host \t 3000", "host", "3000");
    check_inet("host:http-alt", "host", "http-alt");
    check_inet("127.0.0.1:65535", "127.0.0.1", "65535");
    check_inet("0.0.0.0 00080", "0.0.0.0", "00080");
    check_inet("[::1]:3000", "::1", "3000");
    check_inet("[::1] 3000", "::1", "3000");
    check_inet("::1 3000", "::1", "3000");
    check_inet("[::]:3000", "::", "3000");
    check_inet("[::ffff:1.2.3.4]:1", "::ffff:1.2.3.4", "1");
    check_inet("[fe80::1%lo]:3000", "fe80::1%lo", "3000");
    check_inet("fe80::1%1 3000", "fe80::1%1", "3000");
    check_inet("a_b.example-1.org:1", "a_b.example-1.org", "1");
    check_inet("example.org.:1", "example.org.", "1");
    check_inet("xn--fiqs8s:1", "xn--fiqs8s", "1");
    check_inet("1and1.com:1", "1and1.com", "1");
}

static void takes_unix_names(void **state)
{
    struct endpoint endpoint;
    char text[256];

    (void)state;
    assert_int_equal(endpoint_parse(&endpoint, "unix:/run/a b:1"), 0);
    assert_int_equal(endpoint.kind, ENDPOINT_UNIX);
    assert_string_equal(endpoint.path, "/run/a b:1");
    assert_int_equal(endpoint_parse(&endpoint, "@name"), 0);
    assert_int_equal(endpoint.kind, ENDPOINT_ABSTRACT);
    assert_string_equal(endpoint.path, "name");

    memset(text, 'x', sizeof text);
    memcpy(text, "unix:", 5);
    text[5 + 107] = '\0';
    assert_int_equal(endpoint_parse(&endpoint, text), 0);
    assert_int_equal(strlen(endpoint.path), 107);
    text[5 + 107] = 'x';
    text[5 + 108] = '\0';
    assert_int_equal(endpoint_parse(&endpoint, text), PARLEY_USAGE);
    text[4] = '@';
    assert_int_equal(endpoint_parse(&endpoint, text + 4), PARLEY_USAGE);
    text[4 + 108] = '\0';
    assert_int_equal(endpoint_parse(&endpoint, text + 4), 0);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void check_refused(const char *text, const char *because)
{
    struct endpoint endpoint;

    if (endpoint_parse(&endpoint, text) != PARLEY_USAGE)
        fail_msg("%s: taken as host %s, port %s", text, endpoint.host, endpoint.port);
    if (strstr(parley_error(), because) == NULL)
        fail_msg("%s: refused with: %s", text, parley_error());
    assert_null(strchr(parley_error(), '\n'));
}

static void refuses_nonsense(void **state)
{
    (void)state;
    check_refused("", "empty");
    check_refused("host", "port is missing (write host:port)");
    check_refused("host:", "port is missing");
    check_refused("host ", "port is missing");
    check_refused("::1", "brackets");
    check_refused("::1:3000", "brackets");
    check_refused("[::1]", "port is missing");
    check_refused("[::1", "']' is missing");
    check_refused("[::1]3000", "a port follows");
    check_refused("[localhost]:1", "brackets hold an IPv6 address");
    check_refused("[::g]:1", "not an IPv6 address");
    check_refused("[1:2:3:4:5:6:7:8:9]:1", "not an IPv6 address");
    check_refused("/run/socket", "unix:/path");
    check_refused("unix:", "missing");
    check_refused("@", "missing");
    check_refused("http://host:80", "brackets");
    check_refused("host/x:80", "letters, digits");
    check_refused("-host:80", "letters, digits");
    check_refused("a..b:80", "empty label");
    check_refused(".:80", "empty label");
    check_refused("a...:80", "empty label");
    check_refused("ho\nst:80", "letters, digits");
    check_refused("h\xc3\xb6st:80", "xn--");
    check_refused("host 80 81", "neither a number");
}

static void refuses_bad_ports(void **state)
{
    (void)state;
    check_refused("65536", "at most 65535");
    check_refused("host:99999999999999999999", "at most 65535");
    check_refused("host:000080", "at most 65535");
    check_refused("host:-1", "neither a number");
    check_refused("host:+1", "neither a number");
    check_refused("host:1 ", "port is missing");
    check_refused("host:1-2", "neither a number");
    check_refused("host:a-name-of-a-service-that-is-much-too-long", "neither a number");
}

static void refuses_other_ipv4_forms(void **state)
{
    (void)state;
    check_refused("127.1:80", "not an IPv4 address");
    check_refused("2130706433 80", "not an IPv4 address");
    check_refused("0x7f.1:80", "not an IPv4 address");
    check_refused("0x7f000001:80", "not an IPv4 address");
    check_refused("1.2.3.256:80", "not an IPv4 address");
    check_refused("010.0.0.1:80", "not an IPv4 address");
    check_refused("127.0.0.1.:80", "not an IPv4 address");
}

static void refuses_bad_zones(void **state)
{
    (void)state;
    check_refused("[fe80::1]:80", "needs its interface");
    check_refused("[::1%lo]:80", "only a link-local");
    check_refused("[fe80::1%]:80", "%zone is not");
    check_refused("[fe80::1%lo%lo]:80", "%zone is not");
    check_refused("[fe80::1%an-interface-of-too-many-letters]:80", "%zone is not");
    check_refused("127.0.0.1%lo:80", "letters, digits");
}

/* FAULTS H5: libuv cut such names short and so asked for another host (CVE-2024-24806). */
static void refuses_long_names(void **state)
{
    static char text[65536 + 8];
    static const size_t lengths[] = {254, 255, 256, 257, 300, 65536};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t j = 0; j < lengths[i]; j++)
            text[j] = j % 2 == 0 ? 'a' : '.';
        text[lengths[i] - 1] = 'a';
        memcpy(text + lengths[i], ":80", 4);
        check_refused(text, "at most 253 bytes");
    }
    memset(text, 'a', 64);
    memcpy(text + 64, ":80", 4);
    check_refused(text, "at most 63 bytes");
}

static void takes_the_longest_name(void **state)
{
    struct endpoint endpoint;
    char text[300];

    (void)state;
    for (size_t i = 0; i < 253; i++)
        text[i] = i % 2 == 0 ? 'a' : '.';
    memcpy(text + 253, ":80", 4);
    assert_int_equal(endpoint_parse(&endpoint, text), 0);
    assert_int_equal(strlen(endpoint.host), 253);
    memcpy(text + 253, ".:80", 5);
    assert_int_equal(endpoint_parse(&endpoint, text), 0);
    assert_int_equal(strlen(endpoint.host), 254);
}

static void quotes_what_was_typed_safely(void **state)
{
    (void)state;
    check_refused("\033[2Jx:80", "\\x1b[2Jx:80");
}

/* ---- printing ------------------------------------------------------------------------------- */

static void check_ip_text(int family, const char *number, unsigned scope, const char *expected)
{
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = scope};
    char text[ADDRESS_TEXT];

    if (family == AF_INET) {
        assert_int_equal(inet_pton(family, number, &inet.sin_addr), 1);
        assert_string_equal(address_text((struct sockaddr *)&inet, sizeof inet, text), expected);
        assert_int_equal(address_port((struct sockaddr *)&inet), 80);
        return;
    }
    assert_int_equal(inet_pton(family, number, &inet6.sin6_addr), 1);
    assert_string_equal(address_text((struct sockaddr *)&inet6, sizeof inet6, text), expected);
    assert_int_equal(address_port((struct sockaddr *)&inet6), 80);
}

static void prints_ip_addresses(void **state)
{
    (void)state;
    check_ip_text(AF_INET, "127.0.0.1", 0, "127.0.0.1:80");
    check_ip_text(AF_INET6, "::1", 0, "[::1]:80");
    check_ip_text(AF_INET6, "::ffff:1.2.3.4", 0, "1.2.3.4:80");
    check_ip_text(AF_INET6, "fe80::1", if_nametoindex("lo"), "[fe80::1%lo]:80");
    check_ip_text(AF_INET6, "fe80::1", 4000000000u, "[fe80::1%4000000000]:80");
    check_ip_text(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 4000000000u,
                  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4000000000]:80");
}

static const char *unix_text(const char *path, size_t size)
{
    static char text[ADDRESS_TEXT];
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, size);
    return address_text((struct sockaddr *)&address,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size), text);
}

static void prints_unix_addresses(void **state)
{
    char longest[108];
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    assert_string_equal(unix_text("", 0), "unix");
    assert_string_equal(unix_text("/run/x", 7), "unix:/run/x");
    assert_string_equal(unix_text("/run/x", 6), "unix:/run/x");
    assert_string_equal(unix_text("\0name", 5), "@name");
    assert_string_equal(unix_text("\0a\0\033\n", 5), "@a\\x00\\x1b\\n");
    assert_string_equal(unix_text("/run/gr\xc3\xbc\xc3\x9f", 11), "unix:/run/gr\xc3\xbc\xc3\x9f");
    assert_string_equal(unix_text("/gr\xfc\xdf", 5), "unix:/gr\\xfc\\xdf");
    assert_string_equal(unix_text("/\xe2\x80\xae", 4), "unix:/\\xe2\\x80\\xae");
    /* The kernel may return all 108 bytes without a NUL. */
    memset(longest, 'x', sizeof longest);
    assert_int_equal(strlen(unix_text(longest, sizeof longest)), 5 + 108);
    memset(longest, '\xff', sizeof longest);
    assert_int_equal(strlen(unix_text(longest, sizeof longest)), 5 + 4 * 108);
    assert_int_equal(address_port((struct sockaddr *)&address), 0);
}

static void prints_what_it_does_not_know(void **state)
{
    struct sockaddr_in inet = {.sin_family = AF_INET};
    char text[ADDRESS_TEXT];

    (void)state;
    assert_string_equal(address_text((struct sockaddr *)&inet, 4, text), "unknown");
    inet.sin_family = AF_APPLETALK;
    assert_string_equal(address_text((struct sockaddr *)&inet, sizeof inet, text), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_form),
        cmocka_unit_test(takes_unix_names),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(refuses_bad_ports),
        cmocka_unit_test(refuses_other_ipv4_forms),
        cmocka_unit_test(refuses_bad_zones),
        cmocka_unit_test(refuses_long_names),
        cmocka_unit_test(takes_the_longest_name),
        cmocka_unit_test(quotes_what_was_typed_safely),
        cmocka_unit_test(prints_ip_addresses),
        cmocka_unit_test(prints_unix_addresses),
        cmocka_unit_test(prints_what_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
