#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "base/sys.h"
#include "net/network.h"
#include <parley.h>

/* ---- parsing -------------------------------------------------------------------------------- */

static void check(const char *text, const char *means)
{
    struct network network;
    char again[NETWORK_TEXT];

    if (network_parse(&network, text) != 0)
        fail_msg("%s: %s", text, parley_error());
    assert_string_equal(network_text(&network, again), means);
}

static void takes_networks_and_single_addresses(void **state)
{
    (void)state;
    check("10.0.0.0/8", "10.0.0.0/8");
    check("0.0.0.0/0", "0.0.0.0/0");
    check("192.168.1.128/25", "192.168.1.128/25");
    check("127.0.0.1", "127.0.0.1");
    check("127.0.0.1/32", "127.0.0.1");
    check("2001:DB8::/32", "2001:db8::/32");
    check("::/0", "::/0");
    check("::1", "::1");
    check("::1/128", "::1");
    check("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    check("unix", "unix");
}

static void takes_mapped_ones_as_ipv4(void **state)
{
    (void)state;
    check("::ffff:10.0.0.0/104", "10.0.0.0/8");
    check("::ffff:1.2.3.4", "1.2.3.4");
    check("::ffff:0:0/96", "0.0.0.0/0");
}

static void refuse(const char *text, const char *why)
{
    struct network network;

    assert_int_equal(network_parse(&network, text), PARLEY_USAGE);
    if (strstr(parley_error(), why) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", text, parley_error(), why);
}

static void refuses_nonsense(void **state)
{
    (void)state;
    refuse("", "not an address");
    refuse("/8", "not an address");
    refuse("localhost", "not an address");
    refuse("10.0.0", "not an address");
    refuse("10.0.0.0.0/8", "not an address");
    refuse("010.0.0.0/8", "not an address");
    refuse(" 10.0.0.0/8", "not an address");
    refuse("[::1]", "not an address");
    refuse("fe80::1%lo", "not an address");
    refuse("Unix", "not an address");
    refuse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/8", "not an address");
    refuse("10.0.0.0/", "a prefix of IPv4 is a number, 0 to 32");
    refuse("10.0.0.0/33", "0 to 32");
    refuse("10.0.0.0/08", "0 to 32");
    refuse("10.0.0.0/-1", "0 to 32");
    refuse("10.0.0.0/8 ", "0 to 32");
    refuse("10.0.0.0/255.0.0.0", "0 to 32");
    refuse("10.0.0.0/4294967304", "0 to 32");
    refuse("::/129", "a prefix of IPv6 is a number, 0 to 128");
}

static void names_the_network_that_was_meant(void **state)
{
    (void)state;
    refuse("10.1.2.3/8", "(write 10.0.0.0/8, or 10.1.2.3 alone)");
    refuse("10.0.0.1/0", "(write 0.0.0.0/0, or");
    refuse("192.168.1.129/25", "(write 192.168.1.128/25, or");
    refuse("2001:db8::1/32", "(write 2001:db8::/32, or 2001:db8::1 alone)");
    refuse("::1/127", "(write ::/127, or ::1 alone)");
    refuse("::ffff:10.0.0.0/80", "(write ::/80, or");
}

/* ---- matching ------------------------------------------------------------------------------- */

static const struct sockaddr *address_of(const char *text)
{
    static struct sockaddr_storage storage;
    struct sockaddr_in inet = {.sin_family = AF_INET};
    struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6};

    memset(&storage, 0, sizeof storage);
    storage.ss_family = strcmp(text, "unix") == 0 ? AF_UNIX : AF_UNSPEC;
    if (inet_pton(AF_INET, text, &inet.sin_addr) == 1)
        memcpy(&storage, &inet, sizeof inet);
    else if (inet_pton(AF_INET6, text, &inet6.sin6_addr) == 1)
        memcpy(&storage, &inet6, sizeof inet6);
    return (const struct sockaddr *)&storage;
}

static void expect(const char *text, const char *address, bool held)
{
    struct network network;

    assert_int_equal(network_parse(&network, text), 0);
    if (network_holds(&network, address_of(address)) != held)
        fail_msg("%s %s %s", text, held ? "does not hold" : "holds", address);
}

static void holds_what_shares_the_prefix(void **state)
{
    (void)state;
    expect("10.0.0.0/8", "10.255.0.1", true);
    expect("10.0.0.0/8", "11.0.0.0", false);
    expect("192.168.1.128/25", "192.168.1.128", true);
    expect("192.168.1.128/25", "192.168.1.127", false);
    expect("0.0.0.0/0", "255.1.2.3", true);
    expect("127.0.0.1", "127.0.0.1", true);
    expect("127.0.0.1", "127.0.0.2", false);
    expect("2001:db8::/33", "2001:db8:7fff::1", true);
    expect("2001:db8::/33", "2001:db8:8000::1", false);
    expect("::/0", "2001::1", true);
    expect("::1", "::1", true);
    expect("::1", "::2", false);
}

static void keeps_families_apart(void **state)
{
    (void)state;
    expect("0.0.0.0/0", "::1", false);
    expect("::/0", "10.0.0.1", false);
    expect("::/0", "::ffff:10.0.0.1", false);
    expect("10.0.0.0/8", "::ffff:10.0.0.1", true);
    expect("10.0.0.0/8", "::ffff:11.0.0.1", false);
    expect("::ffff:10.0.0.0/104", "10.0.0.1", true);
    expect("unix", "unix", true);
    expect("unix", "127.0.0.1", false);
    expect("0.0.0.0/0", "unix", false);
    expect("::/0", "unix", false);
    expect("::/0", "unknown", false);
    expect("unix", "unknown", false);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void finds_the_first_of_a_list(void **state)
{
    struct network_list list = {0};
    char text[NETWORK_TEXT];

    (void)state;
    assert_null(network_list_find(&list, address_of("10.0.0.1")));
    assert_int_equal(network_list_add(&list, "10.1.0.0/16, ::1 ,\tunix"), 0);
    assert_int_equal(network_list_add(&list, "10.0.0.0/8"), 0);
    assert_int_equal(list.count, 4);
    assert_string_equal(network_text(network_list_find(&list, address_of("10.1.0.1")), text), "10.1.0.0/16");
    assert_string_equal(network_text(network_list_find(&list, address_of("10.2.0.1")), text), "10.0.0.0/8");
    assert_string_equal(network_text(network_list_find(&list, address_of("unix")), text), "unix");
    assert_null(network_list_find(&list, address_of("::2")));
    network_list_free(&list);
    assert_int_equal(list.count, 0);
}

static void leaves_a_list_as_it_was_when_a_part_is_wrong(void **state)
{
    static const char *const wrong[] = {"", ",", "::1,", ",::1", "::1,,::2", "::1,nonsense", "::1 ::2"};
    struct network_list list = {0};
    char longest[300];

    (void)state;
    assert_int_equal(network_list_add(&list, "10.0.0.0/8"), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(network_list_add(&list, wrong[i]), PARLEY_USAGE);
        assert_int_equal(list.count, 1);
    }
    memset(longest, '1', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(network_list_add(&list, longest), PARLEY_USAGE);
    assert_int_equal(list.count, 1);
    network_list_free(&list);
}

static void *no_memory(void *memory, size_t size)
{
    (void)memory;
    (void)size;
    return NULL;
}

static void says_that_there_is_no_memory(void **state)
{
    struct network_list list = {0};

    (void)state;
    sys.realloc = no_memory;
    assert_int_equal(network_list_add(&list, "::1"), PARLEY_RESOURCE);
    sys.realloc = realloc;
    assert_int_equal(list.count, 0);
    network_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_networks_and_single_addresses),
        cmocka_unit_test(takes_mapped_ones_as_ipv4),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(names_the_network_that_was_meant),
        cmocka_unit_test(holds_what_shares_the_prefix),
        cmocka_unit_test(keeps_families_apart),
        cmocka_unit_test(finds_the_first_of_a_list),
        cmocka_unit_test(leaves_a_list_as_it_was_when_a_part_is_wrong),
        cmocka_unit_test(says_that_there_is_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
