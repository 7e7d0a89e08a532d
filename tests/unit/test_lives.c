/* Servers that come and go, and what each connection is given: state, names, places. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loopback.h"
#include "serving.h"

/* ---- state ---------------------------------------------------------------------------------- */

struct large {
    struct seen seen;
    max_align_t aligned;
    unsigned char bytes[1000];
};

static void check_state(parley_conn *conn)
{
    struct large *large = parley_state(conn);

    saw_opened(conn);
    if ((uintptr_t)large % alignof(max_align_t) != 0 || parley_user(conn) != witness ||
        parley_server_of(conn) != server || parley_is_dialled(conn))
        atomic_fetch_add(&witness->misuse, 1);
    for (size_t i = 0; i < sizeof large->bytes; i++)
        if (large->bytes[i] != 0)
            atomic_fetch_add(&witness->misuse, 1);
    memset(large->bytes, 0xff, sizeof large->bytes);
}

static void fill(parley_conn *conn, const void *bytes, size_t size)
{
    struct large *large = parley_state(conn);

    memset(large->bytes, 0xee, sizeof large->bytes);
    echo_received(conn, bytes, size);
}

static const parley_handler plain =
    PARLEY_HANDLER(.name = "plain", .state_size = sizeof(struct large), .opened = check_state,
                   .received = fill, .closed = saw_closed);
static const parley_handler timed =
    PARLEY_HANDLER(.name = "timed", .state_size = sizeof(struct large), .opened = check_state,
                   .received = fill, .timed = saw_timed, .closed = saw_closed);

static void state_in(const char *model)
{
    const parley_handler *handlers[] = {&plain, &timed};

    for (int i = 0; i < 2; i++) {
        server_make_listening(handlers[i], model, NULL);
        parley_server_set_user(server, witness);
        server_run();
        for (int j = 0; j < 4; j++)
            client_is_served();
        assert_int_equal(server_stop(), 0);
    }
    assert_int_equal(witness->closed, 8);
}

static void state_is_zeroed_and_aligned(void **state)
{
    (void)state;
    in_models(NULL, state_in);
}

/* ---- places --------------------------------------------------------------------------------- */

/* Many wait at once: iterative serves one after another, however many calls accept them. */
static void one_by_one_in(const char *model)
{
    enum { MANY = 40 };
    int fds[MANY];

    server_start(&witnessed_echo, model, NULL);
    for (int i = 0; i < MANY; i++) {
        fds[i] = client_open();
        client_say(fds[i], "x", 1);
    }
    for (int i = 0; i < MANY; i++) {
        client_hear(fds[i], "x", 1);
        client_finish(fds[i]);
        assert_int_equal(client_hear_end(fds[i], NULL), 0);
        client_leave(fds[i]);
    }
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->opened, MANY);
    assert_int_equal(witness->most_at_once, 1);
}

static void iterative_serves_one(void **state)
{
    (void)state;
    in_models("iterative", one_by_one_in);
}

static void limited_in(const char *model)
{
    enum { MANY = 12 };
    int fds[MANY];

    server_start(&witnessed_echo, model, OPTIONS("workers", "1", "connections", "3"));
    for (int i = 0; i < MANY; i++) {
        fds[i] = client_open();
        client_say(fds[i], "x", 1);
    }
    for (int i = 0; i < MANY; i++) {
        client_hear(fds[i], "x", 1);
        client_finish(fds[i]);
        assert_int_equal(client_hear_end(fds[i], NULL), 0);
        client_leave(fds[i]);
    }
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->opened, MANY);
    assert_in_range(witness->most_at_once, 1, 3);
}

static void connections_are_limited(void **state)
{
    (void)state;
    in_models(NULL, limited_in);
}

/* ---- servers -------------------------------------------------------------------------------- */

/* FAULTS: restarts at once on the port of its last life, with connections of that life in TIME_WAIT. */
static void restart_in(const char *model)
{
    char address[32];
    int first;

    server_start(&witnessed_echo, model, NULL);
    first = port;
    int fd = client_open();
    client_say(fd, "x", 1);
    client_hear(fd, "x", 1);
    parley_stop(server); /* the server closes first: the TIME_WAIT is on its side */
    client_hear_end(fd, NULL);
    client_leave(fd);
    assert_int_equal(server_wait(), 0);
    for (int i = 0; i < 2; i++) {
        server_make(&witnessed_echo, model, NULL);
        snprintf(address, sizeof address, "127.0.0.1:%d", first);
        if (parley_listen(server, address) != 0)
            fail_msg("%s: %s", model, parley_error());
        assert_int_equal(parley_listener_port(server, 0), first);
        server_run();
        client_is_served();
        assert_int_equal(server_stop(), 0);
    }
}

static void restarts_on_its_port(void **state)
{
    (void)state;
    in_models(NULL, restart_in);
}

static void listen_in(const char *model)
{
    char path[64];

    snprintf(path, sizeof path, "unix:/tmp/parley-lives-%d", (int)getpid());
    server_make_listening(&witnessed_echo, model,
                          OPTIONS("reuseport", model_has(model, "prefork") ? "on" : "off"));
    assert_int_equal(parley_listen(server, "[::1]:0"), 0);
    assert_int_equal(parley_listen(server, path), 0);
    assert_int_equal(parley_listeners(server), 3);
    assert_int_equal(parley_listener_port(server, 2), 0);
    assert_string_equal(parley_listener_address(server, 2), path);
    assert_string_equal(parley_listener_address(server, 3), "");
    server_run();
    for (int i = 0; i < 3; i++) {
        parley_stream *stream = parley_stream_dial(parley_listener_address(server, (size_t)i), PATIENCE);
        char heard[5];
        if (stream == NULL)
            fail_msg("%s: %s", model, parley_error());
        assert_int_equal(parley_stream_set_timeout(stream, PATIENCE), 0);
        assert_int_equal(parley_stream_write(stream, "hello", 5), 0);
        assert_int_equal(parley_stream_read_all(stream, heard, 5), 5);
        assert_memory_equal(heard, "hello", 5);
        assert_int_equal(parley_stream_half_close(stream), 0);
        assert_int_equal(parley_stream_read(stream, heard, 5), 0);
        parley_stream_hang_up(stream);
    }
    assert_int_equal(server_stop(), 0);
    assert_int_equal(access(path + 5, F_OK), -1); /* ours to remove */
}

static void listens_on_several_addresses(void **state)
{
    (void)state;
    in_models(NULL, listen_in);
}

/* Stopped before it began, and with nobody there: it ends, and at once. */
static void stop_early_in(const char *model)
{
    server_make_listening(&witnessed_echo, model, NULL);
    parley_stop(server);
    parley_stop(server);
    server_run();
    assert_int_equal(server_wait(), 0);
    server_start(&witnessed_echo, model, NULL);
    assert_int_equal(server_stop(), 0);
}

static void stops_at_any_time(void **state)
{
    (void)state;
    in_models(NULL, stop_early_in);
}

static void wrong_handlers_make_no_server(void **state)
{
    static const parley_handler framed = PARLEY_HANDLER(.framing = "u24be");

    (void)state;
    assert_null(parley_server_new(&framed));
    assert_non_null(strstr(parley_error(), "u24be"));
    parley_server_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(state_is_zeroed_and_aligned),   SERVER_TEST(iterative_serves_one),
        SERVER_TEST(connections_are_limited),       SERVER_TEST(restarts_on_its_port),
        SERVER_TEST(listens_on_several_addresses),  SERVER_TEST(stops_at_any_time),
        SERVER_TEST(wrong_handlers_make_no_server),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
