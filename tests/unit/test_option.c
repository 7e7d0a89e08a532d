/* The command line: what is understood, and what is said of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "command/command.h"
#include "option/suggest.h"

enum { MOST_WORDS = 16 };

static char complaint[4096];

/* Splits at single blanks; a word is empty between two. Parses; what was complained is in `complaint`. */
static int parse(struct arguments *arguments, const char *subcommand, const char *line)
{
    static char text[512];
    static char *words[MOST_WORDS];
    char *rest = text;
    int count = 0;

    snprintf(text, sizeof text, "%s", line);
    while (*line && rest) {
        assert_true(count < MOST_WORDS);
        words[count++] = strsep(&rest, " ");
    }
    return arguments_parse(arguments, subcommand_named(subcommand), count, words);
}

static int start_listening(void)
{
    const int kept = dup(STDERR_FILENO), file = memfd_create("stderr", 0);

    assert_true(kept >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    close(file);
    return kept;
}

static void stop_listening(int kept)
{
    const ssize_t size = pread(STDERR_FILENO, complaint, sizeof complaint - 1, 0);

    complaint[size > 0 ? size : 0] = '\0';
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static void expect_complaint(const char *subcommand, const char *line, const char *part)
{
    struct arguments arguments;
    const int kept = start_listening();
    const int status = parse(&arguments, subcommand, line);

    stop_listening(kept);
    arguments_free(&arguments);
    assert_int_equal(status, EXIT_USAGE);
    if (!strstr(complaint, part))
        fail_msg("\"%s\" was answered: %s", line, complaint);
    assert_ptr_equal(strchr(complaint, '\n'), complaint + strlen(complaint) - 1);
}

static void expect_given(const char *subcommand, const char *line, const char *name, const char *value)
{
    struct arguments arguments;

    assert_int_equal(parse(&arguments, subcommand, line), 0);
    if (value)
        assert_string_equal(arguments_value(&arguments, name), value);
    else
        assert_false(arguments_given(&arguments, name));
    arguments_free(&arguments);
}

static void takes_every_spelling(void **state)
{
    (void)state;
    expect_given("serve", "echo --port 3000", "port", "3000");
    expect_given("serve", "echo --port=3000", "port", "3000");
    expect_given("serve", "echo -p 3000", "port", "3000");
    expect_given("serve", "-p3000 echo", "port", "3000");
    expect_given("listen", "-lkvp 3000", "port", "3000");
    expect_given("listen", "-lkvp3000", "keep", "on");
    expect_given("connect", "-zw3 localhost 22", "connect-timeout", "3");
    expect_given("connect", "-zw3 localhost 22", "probe", "on");
    expect_given("connect", "--send= 1", "send", "");
    expect_given("connect", "--send  1", "send", "");
    expect_given("connect", "--send --until 1", "send", "--until");
    expect_given("connect", "--send=a=b 1", "send", "a=b");
    expect_given("serve", "echo --idle 3 --idle 5", "idle", "5");
    expect_given("serve", "echo -v6", "ipv6", "6");
    expect_given("serve", "echo --no-nodelay", "no-nodelay", "off");
    expect_given("serve", "echo -- --once", "once", NULL);
    expect_given("serve", "echo -", "once", NULL);
}

static void takes_what_was_not_an_option_as_operands(void **state)
{
    struct arguments arguments;

    (void)state;
    assert_int_equal(parse(&arguments, "serve", "echo -v 3000 - --once -- -v --"), 0);
    assert_int_equal(arguments.operand_count, 5);
    assert_string_equal(arguments.operands[0], "echo");
    assert_string_equal(arguments.operands[1], "3000");
    assert_string_equal(arguments.operands[2], "-");
    assert_string_equal(arguments.operands[3], "-v");
    assert_string_equal(arguments.operands[4], "--");
    assert_null(arguments.operands[5]);
    arguments_free(&arguments);
}

static void says_what_would_be_right(void **state)
{
    (void)state;
    expect_complaint("serve", "echo --idel 3", "did you mean --idle?");
    expect_complaint("serve", "echo --back 3", "did you mean --backlog?");
    expect_complaint("serve", "echo --zzzzzzzzzz", "parley help serve lists them");
    expect_complaint("serve", "echo --a\nb\033[31m", "--a\\nb\\x1b[31m");
    expect_complaint("serve", "echo --=3", "there is no option --");
    expect_complaint("serve", "echo -Q", "there is no option -Q");
    expect_complaint("serve", "echo -once", "two dashes: --once");
    expect_complaint("connect", "-dump 3", "two dashes: --dump");
    expect_complaint("serve", "echo --once=yes", "--once takes no value");
    expect_complaint("serve", "echo --idle", "--idle needs a value, --idle TIME");
    expect_complaint("serve", "echo -p", "--port needs a value, --port PORT");
    expect_complaint("connect", "-u 127.0.0.1 53", "not UDP");
    expect_complaint("connect", "-l 3000", "use parley listen");
    expect_complaint("connect", "--every soon 3000", "--every");
    expect_complaint("connect", "--every -1 3000", "--every");
    expect_complaint("connect", "--count 1e3 3000", "--count");
    expect_complaint("connect", "--count -1 3000", "--count");
    expect_complaint("connect", "--count 99999999999999999999 3000", "--count");
    expect_complaint("serve", "echo --model prehtread+epoll", "did you mean prethread+epoll?");
    expect_complaint("serve", "echo --log jsno", "did you mean json?");
}

static void reads_times_and_counts(void **state)
{
    struct arguments arguments;

    (void)state;
    assert_int_equal(parse(&arguments, "connect", "--every 250ms --count 10 --wait 1.5s 1"), 0);
    assert_int_equal(arguments_time(&arguments, "every", -1), 250);
    assert_int_equal(arguments_time(&arguments, "wait", -1), 1500);
    assert_int_equal(arguments_time(&arguments, "quit-after", -1), -1);
    assert_int_equal(arguments_count(&arguments, "count", 0), 10);
    arguments_free(&arguments);
}

static void stops_at_help(void **state)
{
    struct arguments arguments;

    (void)state;
    assert_int_equal(parse(&arguments, "serve", "-vhZ --nonsense"), 0);
    assert_true(arguments.help);
    arguments_free(&arguments);
}

/* The addresses of `line`, or the complaint, separated by "|". */
static void expect_addresses(const char *line, const char *expected)
{
    struct arguments arguments;
    char joined[512] = "";
    char **addresses;
    const int kept = start_listening();

    assert_int_equal(parse(&arguments, "serve", line), 0);
    addresses = arguments_addresses(&arguments, 1);
    stop_listening(kept);
    for (char **address = addresses; address && *address; address++) {
        const size_t length = strlen(joined);

        snprintf(joined + length, sizeof joined - length, "%s%s", length ? "|" : "", *address);
    }
    if (addresses)
        assert_string_equal(joined, expected);
    else
        assert_non_null(strstr(complaint, expected));
    addresses_free(addresses);
    arguments_free(&arguments);
}

static void pairs_hosts_and_ports(void **state)
{
    (void)state;
    expect_addresses("echo 3000", "3000");
    expect_addresses("echo 3000 3001 [::1]:4000", "3000|3001|[::1]:4000");
    expect_addresses("hangup 127.0.0.1 8000 --backlog 5", "127.0.0.1 8000");
    expect_addresses("echo ::1 80 localhost 81 82", "::1 80|localhost 81|82");
    expect_addresses("echo [::1] 80", "[::1] 80");
    expect_addresses("echo :3000 *:4000", ":3000|*:4000");
    expect_addresses("echo unix:/run/x @name /run/y", "unix:/run/x|@name|/run/y");
    expect_addresses("echo --listen 1 --listen host:2 3", "3|1|host:2");
    expect_addresses("echo -U /run/x -U @name", "unix:/run/x|@name");
    expect_addresses("echo -p 3000", "3000");
    expect_addresses("echo -p 3000 -i ::1", "::1 3000");
    expect_addresses("echo -p 3000 localhost 127.0.0.1", "localhost 3000|127.0.0.1 3000");
    expect_addresses("echo -d localhost 3000 3001", "localhost 3000|localhost 3001");
    expect_addresses("echo -i 127.0.0.1 3000 -p 4000", "127.0.0.1 3000|127.0.0.1 4000");
    expect_addresses("echo", "no address; give a PORT");
    expect_addresses("echo localhost", "localhost names no port");
    expect_addresses("echo ::1", "::1 names no port; say [::1]:3000 or ::1 3000 for IPv6");
    expect_addresses("echo tcp://127.0.0.1:80", "leave out tcp://");
    expect_addresses("echo -p nonsense", ":nonsense");
    expect_addresses("echo -i 127.0.0.1", "127.0.0.1 names no port");
    expect_addresses("echo -i 127.0.0.1 -d localhost 3000", "give one");
}

static void expect_address(const char *line, const char *expected)
{
    struct arguments arguments;
    char *address;
    const int kept = start_listening();

    assert_int_equal(parse(&arguments, "connect", line), 0);
    address = arguments_address(&arguments);
    stop_listening(kept);
    if (address)
        assert_string_equal(address, expected);
    else
        assert_non_null(strstr(complaint, expected));
    free(address);
    arguments_free(&arguments);
}

static void takes_one_address_where_one_can_be(void **state)
{
    (void)state;
    expect_address("3000", "3000");
    expect_address("localhost:http", "localhost:http");
    expect_address("localhost http", "localhost http");
    expect_address("::1 3000", "::1 3000");
    expect_address("-p 8900 -i 127.0.0.1", "127.0.0.1 8900");
    expect_address("-p 8900 -d localhost", "localhost 8900");
    expect_address("localhost -p 8900", "localhost 8900");
    expect_address("-d localhost 8900", "localhost 8900");
    expect_address("-U /run/x", "unix:/run/x");
    expect_address("", "no address");
    expect_address("1 2 3", "are two");
    expect_address("-U /run/x 3000", "are two");
    expect_address("localhost 3000 -p 1", "leave out");
}

static void knows_what_is_near(void **state)
{
    (void)state;
    assert_string_equal(nearest_name("ecko", "hangup echo upper"), "echo");
    assert_string_equal(nearest_name("uper", "hangup echo upper"), "upper");
    assert_string_equal(nearest_name("lgo", "log linger"), "log");
    assert_string_equal(nearest_name("hang", "echo hangup"), "hangup");
    assert_null(nearest_name("", "hangup echo upper"));
    assert_null(nearest_name("x", "hangup echo upper"));
    assert_null(nearest_name("something-very-long-that-is-no-option-at-all", "hangup echo upper"));
    assert_true(listed_name("a bc d", "bc"));
    assert_false(listed_name("a bc d", "b"));
    assert_false(listed_name("a bc d", ""));
}

/* What the tables themselves must be. */
static void check_option(const struct subcommand *subcommand, const struct option *option)
{
    struct arguments arguments;
    char line[64];
    unsigned same_name = 0, same_letter = 0;

    for (const struct option_group *const *group = subcommand->groups; *group; group++) {
        for (const struct option *other = (*group)->options; other->name; other++) {
            same_name += strcmp(other->name, option->name) == 0;
            same_letter += option->letter && other->letter == option->letter;
        }
    }
    assert_int_equal(same_name, 1);
    assert_true(same_letter <= 1);
    assert_non_null(option->help);
    assert_true(strlen(option->name) < 32);
    if (!option->argument && option->kind == OPTION_TEXT) {
        snprintf(line, sizeof line, "--%s --help", option->name); /* alone: help wants no companion */
        assert_int_equal(parse(&arguments, subcommand->name, line), 0);
        assert_true(arguments_given(&arguments, option->name));
        arguments_free(&arguments);
    }
}

static void tables_are_sound(void **state)
{
    (void)state;
    for (const struct subcommand *subcommand = subcommands; subcommand->name; subcommand++) {
        assert_non_null(subcommand->run);
        for (const struct option_group *const *group = subcommand->groups; *group; group++)
            for (const struct option *option = (*group)->options; option->name; option++)
                check_option(subcommand, option);
    }
}

/* Each setting is one that the library has, and takes what its switch would set. */
static void settings_exist(void **state)
{
    static const parley_handler handler = PARLEY_HANDLER(.name = "none");
    const struct subcommand *serve = subcommand_named("serve");

    (void)state;
    for (const struct option_group *const *group = serve->groups; *group; group++) {
        for (const struct option *option = (*group)->options; option->name; option++) {
            parley_server *server = parley_server_new(&handler);

            assert_non_null(server);
            if (option->setting && !option->argument) {
                assert_int_equal(parley_set(server, option->setting, option->value ? option->value : "on"),
                                 0);
            } else if (option->setting && parley_set(server, option->setting, "1") != 0) {
                assert_null(strstr(parley_error(), "there is no option"));
            }
            parley_server_free(server);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_spelling),
        cmocka_unit_test(takes_what_was_not_an_option_as_operands),
        cmocka_unit_test(says_what_would_be_right),
        cmocka_unit_test(reads_times_and_counts),
        cmocka_unit_test(stops_at_help),
        cmocka_unit_test(pairs_hosts_and_ports),
        cmocka_unit_test(takes_one_address_where_one_can_be),
        cmocka_unit_test(knows_what_is_near),
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(settings_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
