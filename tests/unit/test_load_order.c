/* Words of the command line of a load: escapes of --message, ranges of --source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "captured.h"
#include "command/load.h"

static struct arguments arguments_of_load(void)
{
    return (struct arguments){.subcommand = subcommand_named("load")};
}

/* ---- escapes ---- */

#define UNESCAPES(text, bytes) assert_unescaped(text, bytes, sizeof(bytes) - 1)

static void assert_unescaped(const char *text, const char *bytes, size_t size)
{
    size_t length;
    unsigned char *found = unescape(subcommand_named("load"), "message", text, &length);
    assert_non_null(found);
    assert_int_equal(length, size);
    assert_memory_equal(found, bytes, size);
    free(found);
}

static void plain_text_stays(void **state)
{
    (void)state;
    UNESCAPES("", "");
    UNESCAPES("GET / HTTP/1.1", "GET / HTTP/1.1");
    UNESCAPES("grüße\t", "grüße\t");
}

static void escapes_stand_for_bytes(void **state)
{
    (void)state;
    UNESCAPES("\\n\\r\\t\\0\\\\", "\n\r\t\0\\");
    UNESCAPES("\\x41\\x00\\xff\\xFf\\xaB", "A\0\xff\xff\xab");
    UNESCAPES("\\x411", "A1");
    UNESCAPES("\\\\n", "\\n");
    UNESCAPES("\\01", "\0001");
    UNESCAPES("a\\nb", "a\nb");
}

static void check_refusal(const char *text, const char *sentence)
{
    struct captured captured;
    char said[512];
    size_t length;
    capture_stderr(&captured);
    unsigned char *found = unescape(subcommand_named("load"), "message", text, &length);
    read_captured(&captured, said, sizeof said);
    release_stderr(&captured);
    assert_null(found);
    if (!strstr(said, sentence))
        fail_msg("\"%s\" is not in \"%s\"", sentence, said);
}

static void what_is_no_escape_is_refused(void **state)
{
    (void)state;
    check_refusal("\\q", "parley load: --message: there is no \\q;");
    check_refusal("end\\", "there is no \\;");
    check_refusal("\\x4", "there is no \\x;");
    check_refusal("\\xg0", "there is no \\x;");
    check_refusal("\\x0g", "there is no \\x;");
    check_refusal("\\N", "there is no \\N;");
}

/* ---- sources ---- */

static void assert_sources(const char *text, size_t count, const char *first, const char *last)
{
    struct load_order order = {0};
    struct arguments arguments = arguments_of_load();
    assert_int_equal(load_sources_add(&order, &arguments, text), 0);
    assert_int_equal(order.source_count, count);
    assert_string_equal(order.sources[0], first);
    assert_string_equal(order.sources[count - 1], last);
    load_order_free(&order);
}

static void sources_are_addresses_or_ranges(void **state)
{
    (void)state;
    assert_sources("127.0.0.2", 1, "127.0.0.2", "127.0.0.2");
    assert_sources("::1", 1, "::1", "::1");
    assert_sources("127.0.0.2-127.0.0.9", 8, "127.0.0.2", "127.0.0.9");
    assert_sources("127.0.0.2-127.0.0.2", 1, "127.0.0.2", "127.0.0.2");
    assert_sources("127.0.0.250-127.0.1.5", 12, "127.0.0.250", "127.0.1.5");
    assert_sources("255.255.255.254-255.255.255.255", 2, "255.255.255.254", "255.255.255.255");
    assert_sources("127.0.0.0-127.0.255.255", 65536, "127.0.0.0", "127.0.255.255");
}

static void sources_add_up(void **state)
{
    struct load_order order = {0};
    struct arguments arguments = arguments_of_load();
    (void)state;
    assert_int_equal(load_sources_add(&order, &arguments, "127.0.0.2-127.0.0.3"), 0);
    assert_int_equal(load_sources_add(&order, &arguments, "127.0.0.9"), 0);
    assert_int_equal(order.source_count, 3);
    assert_string_equal(order.sources[2], "127.0.0.9");
    load_order_free(&order);
}

static void check_no_source(const char *text, const char *sentence)
{
    struct load_order order = {0};
    struct arguments arguments = arguments_of_load();
    struct captured captured;
    char said[512];
    capture_stderr(&captured);
    int code = load_sources_add(&order, &arguments, text);
    read_captured(&captured, said, sizeof said);
    release_stderr(&captured);
    assert_int_equal(code, EXIT_USAGE);
    if (!strstr(said, sentence))
        fail_msg("\"%s\" is not in \"%s\"", sentence, said);
    load_order_free(&order);
}

static void what_is_no_source_is_refused(void **state)
{
    (void)state;
    check_no_source("", "is no numeric address");
    check_no_source("localhost", "--source localhost is no numeric address");
    check_no_source("127.0.0.2:80", "is no numeric address");
    check_no_source("127.0.0.3-127.0.0.2", "a range goes up");
    check_no_source("127.0.0.0-127.1.0.0", "at most 65536 addresses");
    check_no_source("0.0.0.0-255.255.255.255", "at most 65536 addresses");
    check_no_source("-127.0.0.2", "is no range of IPv4 addresses");
    check_no_source("127.0.0.2-", "is no range of IPv4 addresses");
    check_no_source("127.0.0.2-3", "is no range of IPv4 addresses");
    check_no_source("::1-::2", "is no range of IPv4 addresses");
    check_no_source("127.127.127.127.127.127-127.0.0.1", "is no range of IPv4 addresses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(escapes_stand_for_bytes),
        cmocka_unit_test(what_is_no_escape_is_refused),
        cmocka_unit_test(sources_are_addresses_or_ranges),
        cmocka_unit_test(sources_add_up),
        cmocka_unit_test(what_is_no_source_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
