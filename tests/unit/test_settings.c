/* parley_set(): every option, its units, and what it says of a wrong value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/server.h"
#include "loopback.h"

static const parley_handler nothing = PARLEY_HANDLER(.name = "nothing");
static parley_server *server;

static int prepare(void **state)
{
    (void)state;
    server = parley_server_new(&nothing);
    return server == NULL;
}

static int finish(void **state)
{
    (void)state;
    parley_server_free(server);
    return 0;
}

static void set(const char *option, const char *value)
{
    if (parley_set(server, option, value) != 0)
        fail_msg("%s %s: %s", option, value, parley_error());
}

static void refuse(const char *option, const char *value, const char *sentence)
{
    struct options before = server->options;

    check_failure(parley_set(server, option, value), PARLEY_USAGE, sentence);
    assert_memory_equal(&server->options, &before, sizeof before);
}

static void defaults_are_the_header_s(void **state)
{
    const struct options *options = &server->options;

    (void)state;
    assert_string_equal(options->model.placement->name, "prethread");
    assert_string_equal(options->model.poller->name, "epoll");
    assert_int_equal(options->workers, 0);
    assert_true(options->socket.nodelay);
    assert_false(options->socket.reuseport);
    assert_int_equal(options->socket.backlog, 0);
    assert_int_equal(options->socket.keepalive, 0);
    assert_int_equal(options->socket.receive_buffer, 0);
    assert_int_equal(options->socket.send_buffer, 0);
    assert_int_equal(options->family, AF_UNSPEC);
    assert_int_equal(options->idle, 0);
    assert_int_equal(options->life, 0);
    assert_int_equal(options->write_timeout, 60000);
    assert_int_equal(options->linger, 2000);
    assert_int_equal(options->drain, 10000);
    assert_int_equal(options->high_water, 256 << 10);
    assert_int_equal(options->queue_max, 64 << 20);
    assert_int_equal(options->connections, 0);
    assert_int_equal(options->connect_timeout, 0);
    assert_int_equal(options->retries, 0);
    assert_false(options->signals);
    assert_int_equal(options->log, LOG_OFF);
    assert_int_equal(options->verbosity, 1);
    assert_false(options->explain);
}

static void check_time(const char *option, const int64_t *place)
{
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {{"3", 3000},    {"500ms", 500},  {"250us", 1}, {"1.5s", 1500},
                 {"2m", 120000}, {"1h", 3600000}, {"0", 0},     {"0s", 0}};

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        set(option, times[i].text);
        assert_int_equal(*place, times[i].ms);
    }
    refuse(option, "", "is not a time");
    refuse(option, "soon", "is not a time");
    refuse(option, "-1s", "is not a time");
    refuse(option, "5 s", "is not a time");
    refuse(option, "9999999999999999999h", "time");
}

static void times_take_units(void **state)
{
    (void)state;
    check_time("idle", &server->options.idle);
    check_time("life", &server->options.life);
    check_time("write-timeout", &server->options.write_timeout);
    check_time("linger", &server->options.linger);
    check_time("drain", &server->options.drain);
    check_time("connect-timeout", &server->options.connect_timeout);
}

static void keepalive_is_in_whole_seconds(void **state)
{
    (void)state;
    set("keepalive", "90");
    assert_int_equal(server->options.socket.keepalive, 90);
    set("keepalive", "1500ms");
    assert_int_equal(server->options.socket.keepalive, 2);
    set("keepalive", "0");
    assert_int_equal(server->options.socket.keepalive, 0);
    refuse("keepalive", "32768", "at most 32767");
    refuse("keepalive", "on", "is not a time");
}

static void check_size(const char *option, const size_t *place)
{
    set(option, "512");
    assert_int_equal(*place, 512);
    set(option, "64KiB");
    assert_int_equal(*place, 64 << 10);
    set(option, "1.5MiB");
    assert_int_equal(*place, 3 << 19);
    set(option, "2GiB");
    assert_int_equal(*place, (size_t)2 << 30);
    refuse(option, "1kb", "is not a size");
    refuse(option, "", "is not a size");
    refuse(option, "-1", "is not a size");
    refuse(option, "18446744073709551615", "too large");
}

static void sizes_take_units(void **state)
{
    (void)state;
    check_size("high-water", &server->options.high_water);
    check_size("queue-max", &server->options.queue_max);
    set("receive-buffer", "1MiB");
    set("send-buffer", "8KiB");
    assert_int_equal(server->options.socket.receive_buffer, 1 << 20);
    assert_int_equal(server->options.socket.send_buffer, 8 << 10);
    refuse("receive-buffer", "2GiB", "too large");
    refuse("send-buffer", "1 MiB", "is not a size");
}

static void check_count(const char *option, const void *place, const char *beyond)
{
    set(option, "7");
    assert_int_equal(*(const int *)place, 7);
    set(option, "0");
    assert_int_equal(*(const int *)place, 0);
    refuse(option, beyond, "too large");
    refuse(option, "many", "is not a count");
    refuse(option, "1KiB", "is not a count");
    refuse(option, "-3", "is not a count");
    refuse(option, "1.5", "is not");
    refuse(option, "", "is not a count");
}

static void counts_are_bounded(void **state)
{
    (void)state;
    check_count("workers", &server->options.workers, "257");
    check_count("backlog", &server->options.socket.backlog, "2147483648");
    check_count("connections", &server->options.connections, "4294967296");
    check_count("retry", &server->options.retries, "3G");
    set("connections", "2k");
    assert_int_equal(server->options.connections, 2000);
    set("verbosity", "2");
    assert_int_equal(server->options.verbosity, 2);
    refuse("verbosity", "3", "at most 2");
}

static void check_switch(const char *option, const bool *place)
{
    set(option, "on");
    assert_true(*place);
    set(option, "off");
    assert_false(*place);
    refuse(option, "yes", "is none of: on, off");
    refuse(option, "", "is none of: on, off");
    refuse(option, "ON", "is none of: on, off");
}

/* "explain" alone is left out: it puts itself before the calls of the whole process. */
static void switches_are_on_or_off(void **state)
{
    (void)state;
    check_switch("nodelay", &server->options.socket.nodelay);
    check_switch("reuseport", &server->options.socket.reuseport);
    check_switch("signals", &server->options.signals);
    refuse("explain", "maybe", "is none of: on, off");
}

static void words_are_from_a_list(void **state)
{
    (void)state;
    set("family", "4");
    assert_int_equal(server->options.family, AF_INET);
    set("family", "6");
    assert_int_equal(server->options.family, AF_INET6);
    refuse("family", "5", "is none of: any, 4, 6");
    set("family", "any");
    assert_int_equal(server->options.family, AF_UNSPEC);
    refuse("family", "5", "is none of: any, 4, 6");
    set("log", "json");
    assert_int_equal(server->options.log, LOG_JSON);
    set("log", "text");
    assert_int_equal(server->options.log, LOG_TEXT);
    set("log", "off");
    assert_int_equal(server->options.log, LOG_OFF);
    refuse("log", "xml", "is none of: text, json, none");
    set("model", "fork+poll");
    assert_string_equal(server->options.model.placement->name, "fork");
    refuse("model", "goroutine", "is not known");
}

static void text_is_bounded(void **state)
{
    char text[ADDRESS_TEXT + 1];

    (void)state;
    set("bind", "127.0.0.1:0");
    assert_string_equal(server->options.bind, "127.0.0.1:0");
    memset(text, 'a', sizeof text);
    text[ADDRESS_TEXT] = '\0';
    refuse("bind", text, "bind is too long");
    text[ADDRESS_TEXT - 1] = '\0';
    set("bind", text);
    assert_string_equal(server->options.bind, text);
}

static void framing_is_in_words(void **state)
{
    (void)state;
    set("framing", "line max=512");
    assert_int_equal(server->options.framing.kind, FRAMING_LINE);
    assert_int_equal(server->options.framing.max, 512);
    set("framing", "raw");
    assert_int_equal(server->options.framing.kind, FRAMING_RAW);
    refuse("framing", "u24be", "framing");
    refuse("framing", "line max=lots", "");
}

static void limits_are_bounded(void **state)
{
    const struct limits *limits = &server->options.limits;

    (void)state;
    check_count("per-address", &limits->per_address, "4294967296");
    check_count("per-network", &limits->per_network, "4294967296");
    check_count("accept-rate", &limits->accept_rate, "1000001");
    check_time("first-byte", &limits->first_byte);
    check_size("bytes-max", &limits->bytes_max);
}

static void what_becomes_of_one_too_many_is_in_words(void **state)
{
    const struct limits *limits = &server->options.limits;
    char longest[400];

    (void)state;
    assert_int_equal(limits->when_full.how, POLICY_QUEUE);
    set("when-full", "reset");
    assert_int_equal(limits->when_full.how, POLICY_RESET);
    set("when-full", "message=come later");
    assert_int_equal(limits->when_full.how, POLICY_MESSAGE);
    assert_string_equal(limits->when_full.message, "come later\n");
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "message=", 8);
    longest[8 + 255] = '\0';
    refuse("when-full", longest, "at most 254 bytes");
    longest[8 + 254] = '\0';
    set("when-full", longest);
    refuse("when-full", "drop", "none of: queue, close, reset, message=TEXT");
    refuse("when-full", "", "none of");
}

static void what_becomes_of_one_over_its_limits_is_in_words(void **state)
{
    const struct policy *policy = &server->options.limits.when_over;

    (void)state;
    assert_int_equal(policy->how, POLICY_CLOSE);
    set("when-over", "reset");
    assert_int_equal(policy->how, POLICY_RESET);
    set("when-over", "message=that is all");
    assert_int_equal(policy->how, POLICY_MESSAGE);
    assert_string_equal(policy->message, "that is all\n");
    refuse("when-over", "queue", "none of: close, reset, message=TEXT");
}

static void a_rate_has_bytes_and_a_time(void **state)
{
    const struct limits *limits = &server->options.limits;

    (void)state;
    set("min-rate", "100");
    assert_int_equal(limits->rate_bytes, 1000);
    assert_int_equal(limits->rate_span, 10000);
    set("min-rate", "1KiB/500ms");
    assert_int_equal(limits->rate_bytes, 1024);
    assert_int_equal(limits->rate_span, 500);
    set("min-rate", "0");
    assert_int_equal(limits->rate_span, 0);
    refuse("min-rate", "100/0", "in no time?");
    refuse("min-rate", "/1s", "is not a size");
    refuse("min-rate", "100/", "is not a time");
    refuse("min-rate", "16EiB", "");
    refuse("min-rate", "4000000000000000000", "too many bytes"); /* in ten seconds */
    refuse("min-rate", "1111111111111111111111111111111111111111/1s", "BYTES or BYTES/TIME");
}

/* Whichever is set first. */
static void the_longest_message_overrides_the_framing_s(void **state)
{
    const struct framing *framing = &server->options.framing;

    (void)state;
    set("framing", "line max=512");
    set("message-max", "100");
    assert_int_equal(framing->max, 100);
    set("framing", "u16be");
    assert_int_equal(framing->max, 100);
    set("message-max", "1MiB");
    assert_int_equal(framing->max, 65535);
    set("framing", "fixed=64");
    assert_int_equal(framing->max, 64);
    assert_int_equal(parley_check(server), 0);
    set("framing", "raw");
    check_failure(parley_check(server), PARLEY_USAGE, "raw bytes are no messages");
}

static void unknown_options_are_named(void **state)
{
    (void)state;
    refuse("colour", "red", "there is no option 'colour'");
    refuse("", "x", "there is no option ''");
    refuse("Idle", "1", "there is no option 'Idle'");
    refuse("idle ", "1", "there is no option 'idle '");
}

/* It would be taken, and do nothing. */
static void some_come_too_late_for_who_listens(void **state)
{
    (void)state;
    assert_int_equal(parley_listen(server, "127.0.0.1:0"), 0);
    refuse("backlog", "5", "backlog comes too late");
    refuse("reuseport", "on", "before parley_listen()");
    refuse("unix-mode", "0660", "unix-mode comes too late");
    set("idle", "1s");
}

#define SETTINGS_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(defaults_are_the_header_s),
        SETTINGS_TEST(times_take_units),
        SETTINGS_TEST(keepalive_is_in_whole_seconds),
        SETTINGS_TEST(sizes_take_units),
        SETTINGS_TEST(counts_are_bounded),
        SETTINGS_TEST(switches_are_on_or_off),
        SETTINGS_TEST(words_are_from_a_list),
        SETTINGS_TEST(text_is_bounded),
        SETTINGS_TEST(framing_is_in_words),
        SETTINGS_TEST(limits_are_bounded),
        SETTINGS_TEST(what_becomes_of_one_too_many_is_in_words),
        SETTINGS_TEST(what_becomes_of_one_over_its_limits_is_in_words),
        SETTINGS_TEST(a_rate_has_bytes_and_a_time),
        SETTINGS_TEST(the_longest_message_overrides_the_framing_s),
        SETTINGS_TEST(unknown_options_are_named),
        SETTINGS_TEST(some_come_too_late_for_who_listens),
    };

    return cmocka_run_group_tests(tests, remember_baseline, check_baseline);
}
