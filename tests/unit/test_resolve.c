#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "loopback.h"
#include "names.h"
#include "net/lookup.h"
#include "net/resolve.h"

/* "192.0.2.1:80 [::1]:80" */
static const char *list_text(const struct address_list *list)
{
    static char all[1024];
    char one[ADDRESS_TEXT];

    all[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const struct address *item = &list->items[i];
        address_text((const struct sockaddr *)&item->storage, item->length, one);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i > 0 ? " " : "", one);
    }
    return all;
}

static void check_list(const char *text, int family, bool passive, const char *expected)
{
    struct endpoint endpoint = endpoint_of("%s", text);
    struct address_list list;

    if (resolve(&endpoint, family, passive, &list) != 0)
        fail_msg("%s: %s", text, parley_error());
    assert_string_equal(list_text(&list), expected);
    address_list_free(&list);
    assert_null(list.items);
}

static void check_unresolved(const char *text, int family, int status, const char *sentence)
{
    struct endpoint endpoint = endpoint_of("%s", text);
    struct address_list list;

    assert_int_equal(resolve(&endpoint, family, false, &list), status);
    assert_string_equal(parley_error(), sentence);
    assert_null(list.items);
}

static void takes_numbers_as_they_are(void **state)
{
    (void)state;
    check_list("127.0.0.1:80", AF_UNSPEC, false, "127.0.0.1:80");
    check_list("[::1]:80", AF_UNSPEC, false, "[::1]:80");
    check_list("[fe80::1%lo]:80", AF_UNSPEC, false, "[fe80::1%lo]:80");
    check_list("127.0.0.1:http", AF_UNSPEC, false, "127.0.0.1:80");
    check_unresolved(
        "127.0.0.1:80", AF_INET6, PARLEY_USAGE,
        "resolve 127.0.0.1: an IPv4 address, and -6 asks for IPv6 alone: leave -6 out, or give an "
        "IPv6 address");
    check_unresolved(
        "[::1]:80", AF_INET, PARLEY_USAGE,
        "resolve ::1: an IPv6 address, and -4 asks for IPv4 alone: leave -4 out, or give an IPv4 "
        "address");
}

static void wildcard_or_loopback(void **state)
{
    (void)state;
    check_list("80", AF_UNSPEC, true, "[::]:80");
    check_list("80", AF_INET6, true, "[::]:80");
    check_list("80", AF_INET, true, "0.0.0.0:80");
    check_list("80", AF_UNSPEC, false, "[::1]:80 127.0.0.1:80");
    check_list("80", AF_INET, false, "127.0.0.1:80");
}

static int no_ipv6(int family, int type, int protocol)
{
    if (family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return socket(family, type, protocol);
}

static void wildcard_without_ipv6(void **state)
{
    struct sys before = sys;

    (void)state;
    sys.socket = no_ipv6;
    check_list("80", AF_UNSPEC, true, "0.0.0.0:80");
    sys = before;
}

static void localhost_is_both_families(void **state)
{
    (void)state;
    check_list("localhost:80", AF_UNSPEC, false, "[::1]:80 127.0.0.1:80");
    check_list("LocalHost.:80", AF_UNSPEC, true, "[::1]:80 127.0.0.1:80");
    check_list("localhost:80", AF_INET, true, "127.0.0.1:80");
    check_list("localhost:80", AF_INET6, true, "[::1]:80");
}

static void interleaves_families_and_drops_doubles(void **state)
{
    (void)state;
    check_list("mixed.test:80", AF_UNSPEC, false, "192.0.2.1:80 [2001:db8::1]:80 192.0.2.2:80 192.0.2.3:80");
    check_list("mixed.test:80", AF_INET6, false, "[2001:db8::1]:80");
}

static void makes_unix_addresses(void **state)
{
    char path[128] = "unix:";

    (void)state;
    check_list("unix:/run/x", AF_UNSPEC, false, "unix:/run/x");
    check_list("@name", AF_INET, true, "@name");
    memset(path + 5, 'x', 107);
    check_list(path, AF_UNSPEC, true, path);
    memmove(path + 1, path + 5, 108);
    path[0] = '@';
    check_list(path, AF_UNSPEC, true, path);
}

static void says_why_not(void **state)
{
    (void)state;
    check_unresolved("missing.test:80", AF_UNSPEC, PARLEY_NETWORK,
                     "resolve missing.test: name or service not known");
    check_unresolved("again.test:80", AF_UNSPEC, PARLEY_NETWORK,
                     "resolve again.test: temporary failure in name resolution (no name server answered)");
    check_unresolved("broken.test:80", AF_UNSPEC, PARLEY_NETWORK,
                     "resolve broken.test: the name server failed");
    check_unresolved("four.test:80", AF_INET6, PARLEY_NETWORK,
                     "resolve four.test: the name has no address of this family");
    check_unresolved("[fe80::1%none0]:80", AF_UNSPEC, PARLEY_USAGE,
                     "resolve fe80::1%none0: no interface has the name after the '%'");
    check_unresolved("127.0.0.1:no-such-service", AF_UNSPEC, PARLEY_USAGE,
                     "port \"no-such-service\" is neither a number nor a service name (see /etc/services)");
}

static void *no_memory(size_t count, size_t size)
{
    (void)count, (void)size;
    errno = ENOMEM;
    return NULL;
}

static void survives_without_memory(void **state)
{
    struct sys before = sys;

    (void)state;
    sys.calloc = no_memory;
    check_unresolved("127.0.0.1:80", AF_UNSPEC, PARLEY_RESOURCE, "resolve 127.0.0.1: cannot allocate memory");
    check_unresolved("unix:/run/x", AF_UNSPEC, PARLEY_RESOURCE, "resolve /run/x: cannot allocate memory");
    sys = before;
}

/* ---- with a deadline ------------------------------------------------------------------------ */

static int look_up(const char *text, int64_t timeout, int cancel, struct address_list *list)
{
    struct endpoint endpoint = endpoint_of("%s", text);
    struct patience patience = patience_start(timeout, cancel);

    return lookup(&endpoint, AF_UNSPEC, &patience, list);
}

static int no_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                     void *argument)
{
    (void)thread, (void)attributes, (void)run, (void)argument;
    return EAGAIN;
}

static int no_eventfd(unsigned initial, int flags)
{
    (void)initial, (void)flags;
    errno = EMFILE;
    return -1;
}

static void survives_without_threads(void **state)
{
    struct sys before = sys;
    struct address_list list;

    (void)state;
    sys.pthread_create = no_thread;
    assert_int_equal(look_up("both.test:80", 5000, -1, &list), PARLEY_RESOURCE);
    assert_non_null(strstr(parley_error(), "pthread_create: resource temporarily unavailable"));
    /* Numbers need none. */
    assert_int_equal(look_up("127.0.0.1:80", 5000, -1, &list), 0);
    address_list_free(&list);
    sys = before;
    sys.eventfd = no_eventfd;
    assert_int_equal(look_up("both.test:80", 5000, -1, &list), PARLEY_RESOURCE);
    sys = before;
}

static void thread_brings_the_answer(void **state)
{
    struct address_list list;

    (void)state;
    assert_int_equal(look_up("both.test:80", 5000, -1, &list), 0);
    assert_string_equal(list_text(&list), "[::1]:80 127.0.0.1:80");
    address_list_free(&list);
    assert_int_equal(look_up("missing.test:80", 5000, -1, &list), PARLEY_NETWORK);
    assert_string_equal(parley_error(), "resolve missing.test: name or service not known");
    assert_true(threads_gone());
}

/* FAULTS H6: the resolver hangs. */
static void hanging_resolver_is_left_behind(void **state)
{
    struct address_list list;
    int64_t start = sys.now();

    (void)state;
    names_hold();
    assert_int_equal(look_up("hang.test:80", 60, -1, &list), PARLEY_TIMEOUT);
    assert_string_equal(parley_error(), "resolve hang.test: timed out after 60 ms");
    assert_true(sys.now() - start >= 60);
    assert_int_equal(extra_threads(), 1);
    names_release();
    assert_true(threads_gone());
}

static void hanging_resolver_is_cancelled(void **state)
{
    struct address_list list;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    names_hold();
    assert_int_equal(look_up("hang.test:80", 0, ends[0], &list), PARLEY_STALE);
    assert_string_equal(parley_error(), "resolve hang.test: cancelled");
    names_release();
    assert_true(threads_gone());
    close(ends[0]);
    close(ends[1]);
}

static void hanging_resolvers_are_bounded(void **state)
{
    struct address_list list;

    (void)state;
    names_hold();
    for (int i = 0; i < 32; i++)
        assert_int_equal(look_up("hang.test:80", 1, -1, &list), PARLEY_TIMEOUT);
    assert_int_equal(look_up("both.test:80", 5000, -1, &list), PARLEY_RESOURCE);
    assert_string_equal(parley_error(), "resolve both.test: 32 earlier look-ups are still without an answer");
    assert_int_equal(extra_threads(), 32);
    names_release();
    assert_true(threads_gone());
    assert_int_equal(look_up("both.test:80", 5000, -1, &list), 0);
    address_list_free(&list);
    assert_true(threads_gone());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_numbers_as_they_are),
        cmocka_unit_test(wildcard_or_loopback),
        cmocka_unit_test(wildcard_without_ipv6),
        cmocka_unit_test(localhost_is_both_families),
        cmocka_unit_test(interleaves_families_and_drops_doubles),
        cmocka_unit_test(makes_unix_addresses),
        cmocka_unit_test(says_why_not),
        cmocka_unit_test(survives_without_memory),
        cmocka_unit_test(survives_without_threads),
        /* From here on there are threads that read `sys`, so it stays as it is. */
        cmocka_unit_test(thread_brings_the_answer),
        cmocka_unit_test(hanging_resolver_is_left_behind),
        cmocka_unit_test(hanging_resolver_is_cancelled),
        cmocka_unit_test(hanging_resolvers_are_bounded),
    };

    return cmocka_run_group_tests(tests, remember_baseline, check_baseline);
}
