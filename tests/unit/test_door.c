/* Options of one listener, and what becomes of who meets a limit. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/server.h"
#include "loopback.h"
#include "serving.h"

static void two_listeners(const char *model, const char *const *options)
{
    server_make_listening(&witnessed_echo, model, options);
    assert_int_equal(parley_listen(server, "127.0.0.1:0"), 0);
}

static void set(const char *option, const char *value)
{
    if (parley_listener_set(server, 1, option, value) < 0)
        fail_msg("%s: %s", option, parley_error());
}

/* One that never ran. */
static void let_go(void)
{
    parley_server_free(server);
    server = NULL;
}

static const struct door *door_of(size_t index)
{
    return server->bounds[index].door;
}

/* ---- what counts there ---- */

static void its_own_counts_and_the_rest_is_the_server_s(void **state)
{
    (void)state;
    two_listeners("prethread+epoll", OPTIONS("idle", "5s", "connections", "9", "message-max", "100"));
    set("connections", "3");
    set("idle", "1s");
    assert_int_equal(parley_set(server, "framing", "line max=512"), 0);
    assert_int_equal(parley_set(server, "life", "7s"), 0); /* later, and the server's all the same */
    assert_int_equal(doors_settle(server), 0);
    assert_ptr_equal(door_of(0)->options, &server->options);
    assert_int_equal(door_of(1)->options->connections, 3);
    assert_int_equal(door_of(1)->options->idle, 1000);
    assert_int_equal(door_of(1)->options->life, 7000);
    assert_int_equal(door_of(1)->options->framing.max, 100);
    assert_int_equal(server->options.idle, 5000);
    set("message-max", "300");
    assert_int_equal(door_of(1)->options->framing.max, 300);
    assert_int_equal(server->options.framing.max, 100);
    let_go();
}

static void who_sets_a_limit_counts_for_it(void **state)
{
    (void)state;
    two_listeners("prethread+epoll", OPTIONS("connections", "9", "per-address", "2", "accept-rate", "10"));
    set("per-network", "3");
    set("accept-rate", "5");
    assert_ptr_equal(door_of(1)->crowd, &server->front);
    assert_ptr_equal(door_of(1)->pace, door_of(1));
    assert_int_equal(door_of(1)->address_scope, 0);
    assert_int_equal(door_of(1)->network_scope, 1);
    set("connections", "0");
    assert_ptr_equal(door_of(1)->crowd, door_of(1));
    let_go();
}

static void lists_replace_the_server_s(void **state)
{
    (void)state;
    two_listeners("prethread+epoll", OPTIONS("deny", "10.0.0.0/8", "proxy-from", "10.0.0.1"));
    set("idle", "1s");
    assert_int_equal(door_of(1)->options->proxy_from.count, 1);
    assert_ptr_equal(door_of(1)->access, &server->access);
    set("allow", "192.0.2.0/24");
    set("deny", "192.0.3.0/24");
    set("proxy-from", "10.0.0.2,10.0.0.3");
    assert_int_equal(door_of(1)->access->sources.count, 2);
    assert_int_equal(door_of(1)->options->proxy_from.count, 2);
    assert_int_equal(server->options.proxy_from.count, 1);
    assert_int_equal(server->options.access.count, 1);
    let_go();
}

static void what_is_wrong_is_said_and_changes_nothing(void **state)
{
    (void)state;
    two_listeners("prethread+epoll", NULL);
    check_failure(parley_listener_set(server, 2, "idle", "1s"), PARLEY_USAGE,
                  "there is no listener 2: 2 listen");
    check_failure(parley_listener_set(server, 1, "model", "fork"), PARLEY_USAGE,
                  "no option 'model' of its own");
    check_failure(parley_listener_set(server, 1, "idle", "soon"), PARLEY_USAGE, "is not a time");
    check_failure(parley_listener_set(server, 1, "allow", "nobody"), PARLEY_USAGE, "not an address");
    assert_ptr_equal(door_of(1), &server->front);
    set("queue-max", "1");
    check_failure(parley_check(server), PARLEY_USAGE, "queue-max on 127.0.0.1:");
    let_go();
}

static void doors_are_bounded(void **state)
{
    (void)state;
    server_make_listening(&witnessed_echo, "prethread+epoll", NULL);
    for (size_t i = 1; i < MOST_DOORS; i++) {
        assert_int_equal(parley_listen(server, "127.0.0.1:0"), 0);
        assert_int_equal(parley_listener_set(server, i, "idle", "1s"), 0);
    }
    assert_int_equal(parley_listener_set(server, 1, "life", "1s"), 0);
    check_failure(parley_listener_set(server, 0, "idle", "1s"), PARLEY_RESOURCE, "at most 63 listeners");
    let_go();
}

/* ---- under every model ---- */

static int come_to(size_t index)
{
    port = parley_listener_port(server, index);
    int fd = client_open();
    client_say(fd, "hello", 5);
    client_hear(fd, "hello", 5);
    return fd;
}

/* One after another under iterative, which cannot have both at once. */
static void each_in(const char *model)
{
    two_listeners(model, OPTIONS("idle", "30ms", "when-over", "reset"));
    set("idle", "50ms");
    set("when-over", "message=bye");
    server_run();
    int fd = come_to(0);
    assert_int_equal(client_hear_end(fd, NULL), ECONNRESET);
    close(fd);
    fd = come_to(1);
    client_hear(fd, "bye\n", 4);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    UNTIL(witness->closed == 2);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_IDLE], 2);
}

static void each_has_its_own(void **state)
{
    (void)state;
    in_models(NULL, each_in);
}

/* More than is allowed to wait; then one more message, which does not fit either unless it is short. */
static void overflow(parley_conn *conn)
{
    size_t size = 300 << 10;
    char *much = calloc(1, size);

    saw_opened(conn);
    while (parley_send(conn, much, size) == 0)
        continue;
    assert_int_equal(parley_send(conn, "x", 1), PARLEY_STALE);
    free(much);
}

static const parley_handler overflowing =
    PARLEY_HANDLER(.name = "overflowing", .state_size = sizeof(struct seen), .opened = overflow,
                   .closed = saw_closed);

static void overflow_in(const char *model)
{
    char tail[4] = "";
    char bytes[65536];
    ssize_t size;

    server_start(&overflowing, model, OPTIONS("queue-max", "1MiB", "when-over", "message=bye"));
    int fd = client_open();
    while ((size = recv(fd, bytes, sizeof bytes, 0)) > 0)
        if (size >= 4)
            memcpy(tail, bytes + size - 4, 4);
    assert_int_equal(size, 0);
    assert_memory_equal(tail, "bye\n", 4);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_OVERFLOW], 1);
}

static void who_overflows_is_told_behind_all_that_waits(void **state)
{
    (void)state;
    in_models("prethread thread", overflow_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(its_own_counts_and_the_rest_is_the_server_s),
        SERVER_TEST(who_sets_a_limit_counts_for_it),
        SERVER_TEST(lists_replace_the_server_s),
        SERVER_TEST(what_is_wrong_is_said_and_changes_nothing),
        SERVER_TEST(doors_are_bounded),
        SERVER_TEST(each_has_its_own),
        SERVER_TEST(who_overflows_is_told_behind_all_that_waits),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
