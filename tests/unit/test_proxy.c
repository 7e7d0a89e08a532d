#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/crc32c.h"
#include "net/proxy.h"

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- what every header is asked -------------------------------------------------------------- */

static void expect_address(const struct address *address, const char *text)
{
    char printed[ADDRESS_TEXT];

    address_text((const struct sockaddr *)&address->storage, address->length, printed);
    assert_string_equal(printed, text);
}

/* As the bytes come one at a time, more is needed until all are there, and what follows changes nothing. */
static void read_whole(const void *bytes, size_t size, struct proxy_header *header)
{
    char *behind = malloc(size + 1000);

    assert_non_null(behind);
    for (size_t part = 0; part < size; part++) {
        memcpy(behind, bytes, part); /* nothing behind it that could be looked at by mistake */
        memset(behind + part, 'Q', 1000);
        if (proxy_read(behind, part, header) != 0)
            fail_msg("%zu of %zu bytes: %s", part, size, parley_error());
    }
    memcpy(behind, bytes, size);
    memset(behind + size, '\n', 1000);
    if (proxy_read(behind, size + 1000, header) != (ssize_t)size)
        fail_msg("with bytes behind: %s", parley_error());
    free(behind);
    assert_int_equal(proxy_read(bytes, size, header), size);
}

/* Refused whole, and at the latest then when it comes in parts; a part is never taken for a header. */
static void refuse(const void *bytes, size_t size, const char *why)
{
    struct proxy_header header;

    assert_int_equal(proxy_read(bytes, size, &header), PARLEY_NETWORK);
    if (strstr(parley_error(), why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", parley_error(), why);
    for (size_t part = 0, refused = 0; part <= size; part++) {
        ssize_t status = proxy_read(bytes, part, &header);
        assert_true(status == 0 || status == PARLEY_NETWORK);
        assert_false(refused && status == 0);
        refused = status < 0;
    }
}

/* ---- version 1 ------------------------------------------------------------------------------ */

static void takes_line(const char *line, const char *source, const char *destination)
{
    struct proxy_header header;

    read_whole(line, strlen(line), &header);
    assert_int_equal(header.kind, PROXY_GIVEN);
    expect_address(&header.source, source);
    expect_address(&header.destination, destination);
    assert_false(header.tls.given);
}

static void takes_lines(void **state)
{
    static const char longest[] = "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                                  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    struct proxy_header header;

    (void)state;
    takes_line("PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\n", "10.0.0.1:40000", "10.0.0.2:80");
    takes_line("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255:65535", "0.0.0.0:0");
    takes_line("PROXY TCP6 2001:db8::1 ::1 1 443\r\n", "[2001:db8::1]:1", "[::1]:443");
    takes_line("PROXY TCP6 2001:DB8:0:0:0:0:0:A ::ffff:10.0.0.2 1 2\r\n", "[2001:db8::a]:1", "10.0.0.2:2");
    assert_int_equal(strlen(longest), 107);
    read_whole(longest, 107, &header);
    assert_int_equal(header.kind, PROXY_UNKNOWN);
}

static void takes_what_is_unknown(void **state)
{
    static const char *const lines[] = {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n", "PROXY UNKNOWN  a\tb\r\n"};
    struct proxy_header header;

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        read_whole(lines[i], strlen(lines[i]), &header);
        assert_int_equal(header.kind, PROXY_UNKNOWN);
    }
}

static void refuse_line(const char *line, const char *why)
{
    refuse(line, strlen(line), why);
}

static void refuses_lines(void **state)
{
    (void)state;
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 65536 80\r\n", "0 to 65535");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 040000 80\r\n", "0 to 65535");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1 00\r\n", "0 to 65535");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 +1 2\r\n", "0 to 65535");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n", "0 to 65535");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1 \r\n", "0 to 65535");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n", "more behind");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n", "more behind");
    refuse_line("PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n", "TCP4 without two IPv4 addresses");
    refuse_line("PROXY TCP4\t10.0.0.1 10.0.0.2 1 2\r\n", "none of TCP4, TCP6, UNKNOWN");
    refuse_line("PROXY TCP4 10.0.0.1\t10.0.0.2 1 2\r\n", "TCP4 without");
    refuse_line("PROXY TCP4 10.0.0.01 10.0.0.2 1 2\r\n", "TCP4 without");
    refuse_line("PROXY TCP4 10.0.0.256 10.0.0.2 1 2\r\n", "TCP4 without");
    refuse_line("PROXY TCP4 ::1 ::1 1 2\r\n", "TCP4 without");
    refuse_line("PROXY TCP6 10.0.0.1 10.0.0.2 1 2\r\n", "TCP6 without two IPv6 addresses");
    refuse_line("PROXY TCP6 fe80::1%lo ::1 1 2\r\n", "TCP6 without");
    refuse_line("PROXY TCP6 [::1] ::1 1 2\r\n", "TCP6 without");
    refuse_line("PROXY TCP4\r\n", "TCP4 without");
    refuse_line("PROXY \r\n", "none of TCP4, TCP6, UNKNOWN");
    refuse_line("PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "none of TCP4");
    refuse_line("PROXY tcp4 10.0.0.1 10.0.0.2 1 2\r\n", "none of TCP4");
    refuse_line("PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n", "none of TCP4");
    refuse_line("PROXY UNKNOWNX\r\n", "none of TCP4");
}

static void refuses_broken_line_ends(void **state)
{
    static const char hidden[] = "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\0 3\r\n";
    char line[200];

    (void)state;
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n", "a line feed without");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\rX", "a carriage return without");
    refuse_line("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\r\n", "a carriage return without");
    refuse_line("PROXY UNKNOWN a\nb\r\n", "a line feed without");
    refuse(hidden, sizeof hidden - 1, "a NUL");
    memcpy(line, "PROXY UNKNOWN ", 15);
    memset(line + 14, 'x', sizeof line - 14);
    refuse(line, 107, "longer than 107");
    line[106] = '\r';
    line[107] = '\n';
    refuse(line, 108, "longer than 107");
    line[105] = '\r';
    line[106] = '\n';
    read_whole(line, 107, &(struct proxy_header){0});
}

/* Whatever else a client may say first: it is known by its first byte that differs. */
static void refuses_what_is_no_header(void **state)
{
    struct proxy_header header;

    (void)state;
    assert_int_equal(proxy_read("", 0, &header), 0);
    refuse_line("GET / HTTP/1.0\r\n", "a header was expected");
    refuse_line("\x16\x03\x01", "a header was expected");
    refuse_line("PROXy", "a header was expected");
    refuse_line("\r\n\r\nx", "a header was expected");
    refuse("\r\n\r\n\0\r\nQUIT\r", 12, "a header was expected");
    assert_int_equal(proxy_read("G", 1, &header), PARLEY_NETWORK);
    assert_int_equal(proxy_read("PRO\0", 4, &header), PARLEY_NETWORK);
}

/* ---- version 2 ------------------------------------------------------------------------------ */

/* A header that is put together. */
struct made {
    unsigned char bytes[70000];
    size_t size;
};

static void add(struct made *made, const void *bytes, size_t size)
{
    memcpy(made->bytes + made->size, bytes, size);
    made->size += size;
    if (made->size >= 16) {
        made->bytes[14] = (unsigned char)((made->size - 16) >> 8);
        made->bytes[15] = (unsigned char)(made->size - 16);
    }
}

static struct made *begin(unsigned command, unsigned family)
{
    static struct made made;
    unsigned char fixed[4] = {(unsigned char)command, (unsigned char)family};

    made.size = 0;
    add(&made, signature, 12);
    add(&made, fixed, 4);
    return &made;
}

/* From 10.0.0.1:40000 to 10.0.0.2:80. */
static struct made *begin_ipv4(void)
{
    struct made *made = begin(0x21, 0x11);

    add(made, "\x0a\0\0\1\x0a\0\0\2\x9c\x40\0\x50", 12);
    return made;
}

static void add_fact(struct made *made, unsigned type, const void *value, size_t size)
{
    unsigned char start[3] = {(unsigned char)type, (unsigned char)(size >> 8), (unsigned char)size};

    add(made, start, 3);
    add(made, value, size);
}

static struct proxy_header taken(const struct made *made)
{
    struct proxy_header header;

    read_whole(made->bytes, made->size, &header);
    return header;
}

static void takes_every_family(void **state)
{
    unsigned char block[216] = {[15] = 1, [31] = 2, [32] = 0x9c, [33] = 0x40, [35] = 80};
    struct proxy_header header = taken(begin_ipv4());
    struct made *made;

    (void)state;
    assert_int_equal(header.kind, PROXY_GIVEN);
    expect_address(&header.source, "10.0.0.1:40000");
    expect_address(&header.destination, "10.0.0.2:80");
    made = begin(0x21, 0x21);
    add(made, block, 36);
    header = taken(made);
    expect_address(&header.source, "[::1]:40000");
    expect_address(&header.destination, "[::2]:80");
    made = begin(0x21, 0x12); /* a datagram's client has an address like any other */
    add(made, "\x0a\0\0\1\x0a\0\0\2\x9c\x40\0\x50", 12);
    header = taken(made);
    expect_address(&header.source, "10.0.0.1:40000");
}

static void takes_unix_addresses(void **state)
{
    unsigned char block[216] = {0};
    struct made *made = begin(0x21, 0x31);
    struct proxy_header header;

    (void)state;
    memcpy(block, "/run/client\0behind", 19);
    memcpy(block + 108, "\0abstract", 10);
    add(made, block, sizeof block);
    header = taken(made);
    expect_address(&header.source, "unix:/run/client");
    expect_address(&header.destination, "@abstract");
    made = begin(0x21, 0x31);
    memset(block, 'x', 108);
    memset(block + 108, 0, 108);
    add(made, block, sizeof block);
    header = taken(made);
    assert_int_equal(header.source.length, sizeof(struct sockaddr_un));
    expect_address(&header.destination, "unix");
}

/* What stands in them is to be skipped, whatever it is. */
static void takes_what_speaks_for_nobody(void **state)
{
    struct made *made = begin(0x20, 0x00);

    (void)state;
    assert_int_equal(taken(made).kind, PROXY_LOCAL);
    made = begin(0x20, 0xff);
    add(made, "\xff\xff\xff", 3);
    assert_int_equal(taken(made).kind, PROXY_LOCAL);
    made = begin(0x20, 0x11); /* shorter than its family's addresses */
    add(made, "xx", 2);
    assert_int_equal(taken(made).kind, PROXY_LOCAL);
    made = begin(0x21, 0x00);
    assert_int_equal(taken(made).kind, PROXY_UNKNOWN);
    add(made, "anything", 8);
    assert_int_equal(taken(made).kind, PROXY_UNKNOWN);
}

static void refuse_fixed(unsigned command, unsigned family, const char *why)
{
    struct made *made = begin(command, family);
    unsigned char zeros[300] = {0};

    add(made, zeros, sizeof zeros);
    refuse(made->bytes, made->size, why);
}

static void refuses_versions_commands_and_families(void **state)
{
    (void)state;
    refuse_fixed(0x11, 0x11, "version is not 2");
    refuse_fixed(0x31, 0x11, "version is not 2");
    refuse_fixed(0x01, 0x11, "version is not 2");
    refuse_fixed(0x22, 0x11, "none of LOCAL, PROXY");
    refuse_fixed(0x2f, 0x11, "none of LOCAL, PROXY");
    refuse_fixed(0x21, 0x41, "no such family");
    refuse_fixed(0x21, 0xf1, "no such family");
    refuse_fixed(0x21, 0x13, "no such family");
    refuse_fixed(0x21, 0x10, "no such family");
    refuse_fixed(0x21, 0x01, "no such family");
    refuse_fixed(0x21, 0x03, "no such family");
}

static void refuses_lengths(void **state)
{
    static const unsigned families[] = {0x11, 0x12, 0x21, 0x22, 0x31, 0x32};
    static const size_t least[] = {12, 12, 36, 36, 216, 216};
    struct made *made;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        for (size_t size = 0; size < least[i]; size++) {
            made = begin(0x21, families[i]);
            memset(made->bytes + 16, 0, size);
            add(made, made->bytes + 16, size);
            refuse(made->bytes, made->size, "too short for its addresses");
        }
    made = begin(0x20, 0);
    memcpy(made->bytes + 14, "\xff\xff", 2);
    refuse(made->bytes, 16, "longer than 8192"); /* before any of it has come */
    memcpy(made->bytes + 14, "\x1f\xf1", 2);
    refuse(made->bytes, 16, "longer than 8192");
    memset(made->bytes + 16, 0, 8176);
    memcpy(made->bytes + 14, "\x1f\xf0", 2);
    assert_int_equal(proxy_read(made->bytes, 8191, &(struct proxy_header){0}), 0);
    assert_int_equal(proxy_read(made->bytes, 9000, &(struct proxy_header){0}), 8192);
}

/* ---- facts ---------------------------------------------------------------------------------- */

static void expect_text(const struct proxy_text *text, const char *expected)
{
    assert_int_equal(text->size, strlen(expected));
    assert_memory_equal(text->bytes, expected, text->size);
}

static const char tls_facts[] = "\x21\0\7TLSv1.3"
                                "\x22\0\5alice"
                                "\x23\0\3AES"
                                "\x99\0\1?";

static void takes_facts(void **state)
{
    struct made *made = begin_ipv4();
    char tls[100] = "\7\0\0\0";
    struct proxy_header header;

    (void)state;
    memcpy(tls + 5, tls_facts, sizeof tls_facts - 1);
    add_fact(made, 0x04, "no-op", 5);
    add_fact(made, 0x02, "example.org", 11);
    add_fact(made, 0x20, tls, 5 + sizeof tls_facts - 1);
    add_fact(made, 0xee, "", 0);
    read_whole(made->bytes, made->size, &header);
    expect_text(&header.authority, "example.org");
    assert_true(header.tls.given && header.tls.verified);
    expect_text(&header.tls.version, "TLSv1.3");
    expect_text(&header.tls.common_name, "alice");
    expect_text(&header.tls.cipher, "AES");
}

static bool is_verified(unsigned flags, unsigned result)
{
    struct made *made = begin_ipv4();
    unsigned char tls[5] = {(unsigned char)flags, 0, 0, 0, (unsigned char)result};

    add_fact(made, 0x20, tls, 5);
    struct proxy_header header = taken(made);
    assert_int_equal(header.tls.given, flags & 1);
    return header.tls.verified;
}

static void knows_who_was_verified(void **state)
{
    (void)state;
    assert_true(is_verified(3, 0));
    assert_true(is_verified(5, 0));
    assert_false(is_verified(1, 0)); /* no certificate was shown */
    assert_false(is_verified(3, 1));
    assert_false(is_verified(0, 1));
}

static void refuse_fact(unsigned type, const void *value, size_t size, const char *why)
{
    struct made *made = begin_ipv4();

    add_fact(made, type, value, size);
    refuse(made->bytes, made->size, why);
}

static void refuses_facts(void **state)
{
    struct made *made = begin_ipv4();

    (void)state;
    add(made, "\x04", 1);
    refuse(made->bytes, made->size, "reaches beyond");
    add(made, "\0", 1);
    refuse(made->bytes, made->size, "reaches beyond");
    add(made, "\1", 1);
    refuse(made->bytes, made->size, "reaches beyond");
    refuse_fact(0x20, "\1\0\0\0", 4, "shorter than 5");
    refuse_fact(0x20, "\1\0\0\0\0\x21\0\2x", 9, "reaches beyond");
    refuse_fact(0x20, "\0\0\0\0\1\x21\0\2x", 9, "reaches beyond"); /* though no TLS was used */
    refuse_fact(0x20, "\1\0\0\0\0\x22\0\3a\0b", 11, "a NUL inside");
    refuse_fact(0x02, "a\0b", 3, "a NUL inside");
    made = begin_ipv4();
    add_fact(made, 0x02, "", 0);
    add_fact(made, 0x02, "b", 1);
    refuse(made->bytes, made->size, "twice");
    made = begin_ipv4();
    add_fact(made, 0x20, "\0\0\0\0\0", 5);
    add_fact(made, 0x20, "\1\0\0\0\0", 5);
    refuse(made->bytes, made->size, "twice");
}

static void sums_as_others_do(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
}

static void checks_the_sum(void **state)
{
    struct made *made = begin_ipv4();
    size_t place = made->size + 3;
    uint32_t sum;

    (void)state;
    add_fact(made, 0x03, "\0\0\0\0", 4);
    add_fact(made, 0x04, "behind it", 9);
    sum = htonl(crc32c(0, made->bytes, made->size));
    memcpy(made->bytes + place, &sum, 4);
    assert_int_equal(taken(made).kind, PROXY_GIVEN);
    for (size_t i = 16; i < made->size; i++) {
        struct proxy_header header;
        made->bytes[i] ^= 1;
        if (i != place - 3) /* there it is another type, and unchecked */
            assert_int_equal(proxy_read(made->bytes, made->size, &header), PARLEY_NETWORK);
        made->bytes[i] ^= 1;
    }
    refuse_fact(0x03, "\0\0\0\0", 4, "CRC32C is wrong");
    refuse_fact(0x03, "\0\0\0", 3, "not 4 bytes");
    refuse_fact(0x03, "\0\0\0\0\0", 5, "not 4 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_lines),
        cmocka_unit_test(takes_what_is_unknown),
        cmocka_unit_test(refuses_lines),
        cmocka_unit_test(refuses_broken_line_ends),
        cmocka_unit_test(refuses_what_is_no_header),
        cmocka_unit_test(takes_every_family),
        cmocka_unit_test(takes_unix_addresses),
        cmocka_unit_test(takes_what_speaks_for_nobody),
        cmocka_unit_test(refuses_versions_commands_and_families),
        cmocka_unit_test(refuses_lengths),
        cmocka_unit_test(takes_facts),
        cmocka_unit_test(knows_who_was_verified),
        cmocka_unit_test(refuses_facts),
        cmocka_unit_test(sums_as_others_do),
        cmocka_unit_test(checks_the_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
