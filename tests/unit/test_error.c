#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#undef fail /* cmocka's name for another thing */

#include "base/error.h"
#include "base/sys.h"

static void keeps_the_sentence(void **state)
{
    (void)state;
    errno = EBUSY;
    assert_int_equal(fail(PARLEY_USAGE, "option %s: %d is too many", "x", 7), PARLEY_USAGE);
    assert_string_equal(parley_error(), "option x: 7 is too many");
    assert_int_equal(errno, EBUSY);
    /* The sentence may quote the one before. */
    fail(PARLEY_USAGE, "%s; and so on", parley_error());
    assert_string_equal(parley_error(), "option x: 7 is too many; and so on");
}

static void stays_one_printable_line(void **state)
{
    char longest[5000];

    (void)state;
    fail(PARLEY_USAGE, "%s", "a\nb\033c\x7f\t");
    assert_string_equal(parley_error(), "a\\x0ab\\x1bc\\x7f\\x09");
    memset(longest, '\n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    fail(PARLEY_USAGE, "%s", longest);
    assert_true(strlen(parley_error()) < 1024);
    assert_null(strchr(parley_error(), '\n'));
}

static void *fail_elsewhere(void *argument)
{
    (void)argument;
    assert_string_equal(parley_error(), "no call has failed");
    fail(PARLEY_USAGE, "elsewhere");
    return NULL;
}

static void is_the_threads_own(void **state)
{
    pthread_t thread;

    (void)state;
    fail(PARLEY_USAGE, "here");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(parley_error(), "here");
}

static void names_call_address_and_hint(void **state)
{
    char expected[128];
    struct rlimit limit;

    (void)state;
    assert_int_equal(fail_call("bind", "0.0.0.0:80", EACCES), PARLEY_RESOURCE);
    assert_string_equal(parley_error(),
                        "bind 0.0.0.0:80: permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)");
    assert_int_equal(fail_call("bind", "127.0.0.1:80", EADDRINUSE), PARLEY_NETWORK);
    assert_string_equal(parley_error(), "bind 127.0.0.1:80: address already in use "
                                        "(it is taken; `ss -tanp` shows by whom)");
    fail_call("bind", "10.9.9.9:80", EADDRNOTAVAIL);
    assert_string_equal(
        parley_error(),
        "bind 10.9.9.9:80: cannot assign requested address (no interface of this machine has it)");
    fail_call("connect", "127.0.0.1:9", ECONNREFUSED);
    assert_string_equal(parley_error(), "connect 127.0.0.1:9: connection refused (nothing listens there)");
    assert_int_equal(fail_call("connect", "10.9.9.9:9", ETIMEDOUT), PARLEY_TIMEOUT);
    fail_call("bind", "unix:/root/x", EACCES);
    assert_null(strstr(parley_error(), "1024"));
    getrlimit(RLIMIT_NOFILE, &limit);
    snprintf(expected, sizeof expected, "accept: too many open files (RLIMIT_NOFILE is %llu)",
             (unsigned long long)limit.rlim_cur);
    assert_int_equal(fail_call("accept", NULL, EMFILE), PARLEY_RESOURCE);
    assert_string_equal(parley_error(), expected);
}

static void gives_reasons(void **state)
{
    (void)state;
    assert_string_equal(reason_of("recv", ECONNRESET), "connection reset by peer");
    assert_string_equal(reason_of("io_uring_setup", ENOSYS),
                        "function not implemented (this kernel has no io_uring)");
    assert_string_equal(reason_of("recv", EDOTDOT), "RFS specific error");
    assert_string_equal(reason_of("recv", 54321), "error 54321");
}

static void keeps_out_of_the_locale(void **state)
{
    (void)state;
    setlocale(LC_ALL, "tr_TR.UTF-8");
    assert_string_equal(reason_of("read", EISDIR), "is a directory");
    assert_string_equal(reason_of("read", EINTR), "interrupted system call");
    setlocale(LC_ALL, "C");
}

static void maps_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(parley_exit_code(PARLEY_OK), 0);
    assert_int_equal(parley_exit_code(PARLEY_NETWORK), 1);
    assert_int_equal(parley_exit_code(PARLEY_STALE), 1);
    assert_int_equal(parley_exit_code(PARLEY_USAGE), 2);
    assert_int_equal(parley_exit_code(PARLEY_RESOURCE), 2);
    assert_int_equal(parley_exit_code(PARLEY_FULL), 2);
    assert_int_equal(parley_exit_code(PARLEY_TIMEOUT), 4);
    assert_int_equal(parley_exit_code(128 + 15), 143);
}

static void says_its_version(void **state)
{
    char expected[32];

    (void)state;
    snprintf(expected, sizeof expected, "%d.%d.%d", PARLEY_VERSION_MAJOR, PARLEY_VERSION_MINOR,
             PARLEY_VERSION_PATCH);
    assert_string_equal(parley_version(), expected);
}

/* ---- the table ------------------------------------------------------------------------------ */

static void clock_goes_on(void **state)
{
    struct pollfd none = {.fd = -1};
    int64_t before = sys.now();

    (void)state;
    sys.poll(&none, 1, 20);
    assert_true(sys.now() - before >= 19);
}

static void random_differs(void **state)
{
    uint32_t first = sys.random();
    int same = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        same += sys.random() == first;
    assert_true(same < 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_sentence), cmocka_unit_test(stays_one_printable_line),
        cmocka_unit_test(is_the_threads_own), cmocka_unit_test(names_call_address_and_hint),
        cmocka_unit_test(gives_reasons),      cmocka_unit_test(keeps_out_of_the_locale),
        cmocka_unit_test(maps_exit_codes),    cmocka_unit_test(says_its_version),
        cmocka_unit_test(clock_goes_on),      cmocka_unit_test(random_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
