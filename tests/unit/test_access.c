/* Access lists: which rule decides, and what is said of files that are wrong. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/server.h"
#include "loopback.h"

static const parley_handler nothing = PARLEY_HANDLER(.name = "nothing");
static parley_server *server;
static struct held held;
static char name[64], at_name[72];

static int prepare(void **state)
{
    (void)state;
    server = parley_server_new(&nothing);
    strcpy(name, "/tmp/parley-access-XXXXXX");
    close(mkstemp(name));
    snprintf(at_name, sizeof at_name, "@%s", name);
    return server == NULL;
}

static int finish(void **state)
{
    (void)state;
    reload_let_go(&held);
    parley_server_free(server);
    unlink(name);
    return 0;
}

static void write_bytes(const char *bytes, size_t size)
{
    FILE *file = fopen(name, "w");
    if (!file) {
        fail_msg("%s: %s", name, strerror(errno));
        return;
    }
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void write_lines(const char *text)
{
    write_bytes(text, strlen(text));
}

static void set(const char *option, const char *value)
{
    if (parley_set(server, option, value) != 0)
        fail_msg("%s %s: %s", option, value, parley_error());
}

static void open_lists(void)
{
    assert_int_equal(access_open(server), 0);
}

/* "" stands for a unix peer. */
static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNIX};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1)
        storage.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &ipv6->sin6_addr) == 1)
        storage.ss_family = AF_INET6;
    return storage;
}

static void check(const char *client, bool wanted, const char *why)
{
    char said[ACCESS_TEXT];
    struct sockaddr_storage storage = address_of(client);
    const struct access *access = (struct access *)reload_latest(server, &server->access.reloadable, &held);
    bool allowed = access_allows(access, (struct sockaddr *)&storage, said);
    if (allowed != wanted || !strstr(said, why))
        fail_msg("%s: %s: %s", client, allowed ? "allowed" : "denied", said);
}

static void without_lists_anybody_may_come(void **state)
{
    (void)state;
    open_lists();
    assert_null(reload_latest(server, &server->access.reloadable, &held));
    check("192.0.2.1", true, "");
}

static void behind_an_allow_others_are_denied(void **state)
{
    (void)state;
    set("allow", "10.0.0.0/8,::1");
    open_lists();
    check("10.1.2.3", true, "allowed by 10.0.0.0/8");
    check("::ffff:10.1.2.3", true, "allowed by 10.0.0.0/8");
    check("::1", true, "allowed by ::1");
    check("11.0.0.0", false, "in no network that is allowed");
    check("9.255.255.255", false, "in no network that is allowed");
    check("", false, "in no network that is allowed");
}

static void behind_a_deny_others_are_allowed(void **state)
{
    (void)state;
    set("deny", "10.0.0.0/8");
    open_lists();
    check("10.255.255.255", false, "denied by 10.0.0.0/8");
    check("127.0.0.1", true, "in no network that is denied");
    check("", true, "in no network that is denied");
}

static void the_first_that_holds_it_decides(void **state)
{
    (void)state;
    set("deny", "10.0.0.66");
    set("allow", "10.0.0.0/24");
    set("deny", "10.0.0.0/8");
    set("allow", "unix");
    open_lists();
    check("10.0.0.66", false, "denied by 10.0.0.66");
    check("10.0.0.67", true, "allowed by 10.0.0.0/24");
    check("10.0.1.67", false, "denied by 10.0.0.0/8");
    check("", true, "allowed by the rule for unix");
    check("192.0.2.1", false, "in no network that is allowed");
}

static void a_file_is_told_with_its_line(void **state)
{
    (void)state;
    write_lines("# the bad\n\n  192.0.2.0/24   # a network\r\n2001:db8::/32\n\t192.0.2.7\n198.51.100.1");
    set("deny", at_name);
    open_lists();
    check("192.0.2.7", false, "denied by 192.0.2.0/24 (/tmp/parley-access-");
    check("192.0.2.7", false, ":3)");
    check("2001:db8:1::1", false, ":4)");
    check("198.51.100.1", false, ":6)");
    check("198.51.100.2", true, "");
}

static void an_empty_file_holds_nobody(void **state)
{
    (void)state;
    set("allow", at_name);
    open_lists();
    check("127.0.0.1", false, "in no network that is allowed");
}

static void refuse_file(const char *bytes, size_t size, const char *sentence)
{
    write_bytes(bytes, size);
    check_failure(parley_set(server, "deny", at_name), PARLEY_USAGE, sentence);
    assert_int_equal(server->options.access.count, 0);
}

static void a_broken_file_is_refused_with_its_line(void **state)
{
    char long_line[5000];

    (void)state;
    memset(long_line, '1', sizeof long_line);
    refuse_file("10.0.0.0/8\nnonsense\n", 20, ":2: network \"nonsense\": not an address");
    refuse_file("10.0.0.1/8", 10, ":1: network \"10.0.0.1/8\": it has bits set behind its prefix");
    refuse_file("10.0.0.1\0\n", 10, ":1: a byte 0");
    refuse_file(long_line, sizeof long_line, ":1: the line is too long");
    long_line[0] = '#';
    write_bytes(long_line, sizeof long_line);
    set("deny", at_name);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    check_failure(parley_set(server, "allow", "@/nowhere/list"), PARLEY_USAGE, "/nowhere/list: no such file");
    check_failure(parley_set(server, "allow", "@/tmp"), PARLEY_USAGE, "/tmp: not a regular file");
    check_failure(parley_set(server, "allow", "@/dev/zero"), PARLEY_USAGE, "/dev/zero: not a regular file");
    check_failure(parley_set(server, "allow", "10.0.0.0/8,"), PARLEY_USAGE, "not an address");
}

static void it_is_read_again(void **state)
{
    (void)state;
    write_lines("10.0.0.1\n");
    set("deny", at_name);
    open_lists();
    check("10.0.0.1", false, "");
    write_lines("10.0.0.2\n");
    assert_int_equal(reload_read(server, &server->access.reloadable), 0);
    check("10.0.0.1", true, "");
    check("10.0.0.2", false, ":1)");
    write_lines("10.0.0.3\n10.0.0.400\n");
    check_failure(reload_read(server, &server->access.reloadable), PARLEY_USAGE, ":2: ");
    check("10.0.0.2", false, ":1)");
    check("10.0.0.3", true, "");
}

/* Against the plain search through all of them. */
static void a_long_list_finds_what_a_plain_search_does(void **state)
{
    enum { NETWORKS = 3000, CLIENTS = 20000 };
    static struct network networks[NETWORKS];
    FILE *file = fopen(name, "w");

    (void)state;
    srandom(4);
    for (int i = 0; i < NETWORKS; i++) {
        char text[NETWORK_TEXT];
        networks[i] = (struct network){.family = AF_INET, .bits = 32};
        for (int byte = 0; byte < 4; byte++)
            networks[i].bytes[byte] = (unsigned char)(random() % (byte < 2 ? 4 : 256));
        network_widen(&networks[i], 14 + (unsigned)random() % 19);
        fprintf(file, "%s\n", network_text(&networks[i], text));
    }
    fclose(file);
    set("deny", at_name);
    open_lists();
    for (int i = 0; i < CLIENTS; i++) {
        struct sockaddr_in client = {.sin_family = AF_INET,
                                     .sin_addr = {htonl((uint32_t)random() & 0x0303ffff)}};
        bool is_held = false;
        for (int each = 0; each < NETWORKS && !is_held; each++)
            is_held = network_holds(&networks[each], (struct sockaddr *)&client);
        check(inet_ntoa(client.sin_addr), !is_held, is_held ? "denied by" : "in no network");
    }
}

#define ACCESS_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCESS_TEST(without_lists_anybody_may_come),
        ACCESS_TEST(behind_an_allow_others_are_denied),
        ACCESS_TEST(behind_a_deny_others_are_allowed),
        ACCESS_TEST(the_first_that_holds_it_decides),
        ACCESS_TEST(a_file_is_told_with_its_line),
        ACCESS_TEST(an_empty_file_holds_nobody),
        ACCESS_TEST(a_broken_file_is_refused_with_its_line),
        ACCESS_TEST(what_is_no_file_is_refused),
        ACCESS_TEST(it_is_read_again),
        ACCESS_TEST(a_long_list_finds_what_a_plain_search_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
