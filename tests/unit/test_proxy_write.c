#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/proxy.h"
#include "net/resolve.h"

/* What an address would be written as; "" is none. */
static struct address address_of(const char *text)
{
    struct address address = {0};

    if (*text != '\0' && resolve_literal(text, &address) != 0)
        fail_msg("%s: %s", text, parley_error());
    return address;
}

static struct proxy_header between(const char *source, const char *destination)
{
    return (struct proxy_header){
        .kind = PROXY_GIVEN, .source = address_of(source), .destination = address_of(destination)};
}

/* ---- version 1 ------------------------------------------------------------------------------ */

static void writes_line(const struct proxy_header *header, const char *line)
{
    unsigned char bytes[PROXY_ROOM];
    ssize_t size = proxy_write(bytes, PROXY_V1, header);

    assert_int_equal(size, strlen(line));
    assert_memory_equal(bytes, line, size);
}

static void writes_pair(const char *source, const char *destination, const char *line)
{
    struct proxy_header header = between(source, destination);

    writes_line(&header, line);
}

static void writes_lines(void **state)
{
    struct proxy_header local = {.kind = PROXY_LOCAL};

    (void)state;
    writes_pair("10.0.0.1:40000", "10.0.0.2:80", "PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\n");
    writes_pair("[2001:db8::1]:40000", "[::1]:80", "PROXY TCP6 2001:db8::1 ::1 40000 80\r\n");
    writes_pair("[::ffff:10.0.0.1]:1", "10.0.0.2:2", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n");
    writes_pair("10.0.0.1:1", "[::1]:2", "PROXY TCP6 ::ffff:10.0.0.1 ::1 1 2\r\n");
    writes_pair("[::1]:1", "10.0.0.2:2", "PROXY TCP6 ::1 ::ffff:10.0.0.2 1 2\r\n");
    writes_pair("10.0.0.1:1", "unix:/run/x", "PROXY TCP4 10.0.0.1 0.0.0.0 1 0\r\n");
    writes_pair("[::1]:1", "", "PROXY TCP6 ::1 :: 1 0\r\n");
    writes_pair("unix:/run/x", "10.0.0.1:1", "PROXY UNKNOWN\r\n");
    writes_pair("", "", "PROXY UNKNOWN\r\n");
    writes_line(&local, "PROXY UNKNOWN\r\n");
}

/* ---- version 2 ------------------------------------------------------------------------------ */

static void writes_bytes(const struct proxy_header *header, const char *expected, size_t size)
{
    unsigned char bytes[PROXY_ROOM];

    assert_int_equal(proxy_write(bytes, PROXY_V2, header), size);
    assert_memory_equal(bytes, expected, size);
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static void writes_what_stands_on_the_wire(void **state)
{
    struct proxy_header header = between("10.0.0.1:40000", "10.0.0.2:80");
    struct proxy_header nobody = {.kind = PROXY_UNKNOWN};

    (void)state;
    writes_bytes(&header,
                 SIGNATURE "\x21\x11\0\x13\x0a\0\0\1\x0a\0\0\2\x9c\x40\0\x50"
                           "\3\0\4\x82\x8b\x15\xdd",
                 16 + 19);
    writes_bytes(&nobody, SIGNATURE "\x21\0\0\0", 16);
    nobody.kind = PROXY_LOCAL;
    writes_bytes(&nobody, SIGNATURE "\x20\0\0\0", 16);
}

/* Written and read again. */
static struct proxy_header returned(unsigned char bytes[PROXY_ROOM], const struct proxy_header *header)
{
    struct proxy_header again;
    ssize_t size = proxy_write(bytes, PROXY_V2, header);

    assert_true(size > 0);
    if (proxy_read(bytes, (size_t)size, &again) != size)
        fail_msg("%s", parley_error());
    return again;
}

static void returns(const char *source, const char *destination, const char *read_source,
                    const char *read_destination)
{
    struct proxy_header header = between(source, destination);
    unsigned char bytes[PROXY_ROOM];
    struct proxy_header again = returned(bytes, &header);
    char text[ADDRESS_TEXT];

    assert_int_equal(again.kind, PROXY_GIVEN);
    address_text((struct sockaddr *)&again.source.storage, again.source.length, text);
    assert_string_equal(text, read_source);
    address_text((struct sockaddr *)&again.destination.storage, again.destination.length, text);
    assert_string_equal(text, read_destination);
}

static void reads_back_every_family(void **state)
{
    (void)state;
    returns("10.0.0.1:40000", "10.0.0.2:80", "10.0.0.1:40000", "10.0.0.2:80");
    returns("[2001:db8::1]:1", "[::1]:2", "[2001:db8::1]:1", "[::1]:2");
    returns("10.0.0.1:1", "[::1]:2", "10.0.0.1:1", "[::1]:2");
    returns("[::1]:1", "10.0.0.1:2", "[::1]:1", "10.0.0.1:2");
    returns("unix:/run/x", "@name", "unix:/run/x", "@name");
    returns("unix:/run/x", "10.0.0.1:2", "unix:/run/x", "unix");
    returns("10.0.0.1:1", "unix:/run/x", "10.0.0.1:1", "0.0.0.0:0");
}

static struct proxy_text text_of(const char *text)
{
    return (struct proxy_text){text, strlen(text)};
}

static void same_text(const struct proxy_text *one, const struct proxy_text *other)
{
    assert_int_equal(one->size, other->size);
    assert_memory_equal(one->bytes, other->bytes, one->size);
}

static void reads_back_facts(void **state)
{
    struct proxy_header header = between("10.0.0.1:1", "10.0.0.2:2");
    unsigned char bytes[PROXY_ROOM];

    (void)state;
    header.authority = text_of("example.org");
    header.tls = (struct proxy_tls){.given = true,
                                    .verified = true,
                                    .version = text_of("TLSv1.3"),
                                    .cipher = text_of("TLS_AES_128_GCM_SHA256"),
                                    .common_name = text_of("alice")};
    struct proxy_header again = returned(bytes, &header);
    same_text(&again.authority, &header.authority);
    same_text(&again.tls.version, &header.tls.version);
    same_text(&again.tls.cipher, &header.tls.cipher);
    same_text(&again.tls.common_name, &header.tls.common_name);
    assert_true(again.tls.given && again.tls.verified);
    header.tls.verified = false;
    again = returned(bytes, &header);
    assert_true(again.tls.given && !again.tls.verified);
}

static void refuses_what_does_not_fit(void **state)
{
    static char longest[PROXY_ROOM];
    /* A fixed part, addresses, two TLVs without their values. */
    size_t room = PROXY_ROOM - 16 - 12 - 3 - 7;
    struct proxy_header header = between("10.0.0.1:1", "10.0.0.2:2");
    unsigned char bytes[PROXY_ROOM];

    (void)state;
    memset(longest, 'x', sizeof longest);
    header.authority = (struct proxy_text){longest, room};
    assert_int_equal(returned(bytes, &header).authority.size, room);
    for (size_t beyond = 1; beyond < 12; beyond++) {
        header.authority.size = room + beyond;
        assert_int_equal(proxy_write(bytes, PROXY_V2, &header), PARLEY_USAGE);
    }
}

static void asks_a_socket(void **state)
{
    struct proxy_header header;

    (void)state;
    proxy_of_socket(&header, -1);
    assert_int_equal(header.kind, PROXY_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_lines),
        cmocka_unit_test(writes_what_stands_on_the_wire),
        cmocka_unit_test(reads_back_every_family),
        cmocka_unit_test(reads_back_facts),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(asks_a_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
