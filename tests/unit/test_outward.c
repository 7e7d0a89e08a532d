/* Dialled connections and watched descriptors: the models iterative and prethread. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loopback.h"
#include "serving.h"

#define LONERS "iterative prethread"

static bool in_this_process(const char *model)
{
    return model_has(model, "iterative") || model_has(model, "prethread");
}

/* ---- dialling ------------------------------------------------------------------------------- */

static void ask(parley_conn *conn)
{
    saw_opened(conn);
    if (!parley_is_dialled(conn) || strncmp(parley_peer(conn), "127.0.0.1:", 10) != 0)
        atomic_fetch_add(&witness->misuse, 1);
    parley_send(conn, "question", 8);
}

static void answered(parley_conn *conn, const void *bytes, size_t size)
{
    (void)bytes;
    saw_received(conn, size);
    if (parley_bytes_received(conn) == 6)
        parley_finish(conn);
}

static void dial_closed(parley_conn *conn, parley_reason reason)
{
    saw_closed(conn, reason);
    if (reason == PARLEY_UNREACHED && strstr(parley_failure(conn), "127.0.0.1") != NULL)
        atomic_store(&witness->flag, 1);
}

static const parley_handler asker =
    PARLEY_HANDLER(.name = "asker", .state_size = sizeof(struct seen), .opened = ask, .received = answered,
                   .closed = dial_closed);

static void dial_in(const char *model)
{
    char address[64];
    int there = 0;
    int listener = loopback_listen("127.0.0.1", &there, 5);

    snprintf(address, sizeof address, "127.0.0.1:%d", there);
    server_make(&asker, model, NULL);
    assert_int_equal(parley_dial(server, address), 0);
    server_run();
    int fd = accept(listener, NULL, NULL);
    client_hear(fd, "question", 8);
    client_say(fd, "answer", 6);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    close(listener);
    /* With nothing left to do it ends by itself. */
    assert_int_equal(server_wait(), 0);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void dials(void **state)
{
    (void)state;
    in_models(LONERS, dial_in);
}

static void ask_if_dialled(parley_conn *conn)
{
    saw_opened(conn);
    if (parley_is_dialled(conn))
        parley_send(conn, "question", 8);
}

static void answer_or_stop(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    if (parley_is_dialled(conn))
        parley_stop(parley_server_of(conn));
    else
        parley_send(conn, bytes, size);
}

/* A server that is its own client: one blocking worker would sit in one of the two for ever. */
static void both_in(const char *model)
{
    const parley_handler both =
        PARLEY_HANDLER(.name = "both", .state_size = sizeof(struct seen), .opened = ask_if_dialled,
                       .received = answer_or_stop, .closed = saw_closed);

    server_make_listening(&both, model, OPTIONS("workers", "1"));
    assert_int_equal(parley_dial(server, parley_listener_address(server, 0)), 0);
    server_run();
    if (model_has(model, "blocking")) {
        assert_int_equal(server_wait(), PARLEY_USAGE);
        assert_non_null(strstr(server_sentence, "it dials and listens"));
        return;
    }
    assert_int_equal(server_wait(), 0);
    assert_true(witness->received >= 2);
}

static void listens_and_dials(void **state)
{
    (void)state;
    in_models(LONERS, both_in);
}

static void unreached_in(const char *model)
{
    char address[64];

    snprintf(address, sizeof address, "127.0.0.1:%d", loopback_free_port());
    server_make(&asker, model, NULL);
    assert_int_equal(parley_dial(server, address), 0);
    server_run();
    assert_int_equal(server_wait(), PARLEY_NETWORK);
    assert_non_null(strstr(server_sentence, "connection refused"));
    assert_non_null(strstr(server_sentence, address));
    assert_int_equal(witness->reasons[PARLEY_UNREACHED], 1);
    assert_int_equal(witness->opened, 0);
    assert_int_equal(witness->flag, 1);
}

static void says_who_was_not_reached(void **state)
{
    (void)state;
    in_models(LONERS, unreached_in);
}

/* A stop calls a dial off: nothing has failed. */
static void called_off_in(const char *model)
{
    char address[64];
    int there = 0;

    if (model_has(model, "blocking"))
        return; /* its one thread is inside the dial until the deadline */
    struct black_hole hole = black_hole_open("127.0.0.1", &there);
    server_make_listening(&witnessed_echo, model, NULL);
    snprintf(address, sizeof address, "127.0.0.1:%d", there);
    assert_int_equal(parley_dial(server, address), 0);
    server_run();
    client_is_served();
    int fd = client_open(); /* keeps the loop turning after the dial is called off */
    UNTIL(witness->opened == 2);
    parley_stop(server);
    client_hear_end(fd, NULL);
    client_leave(fd);
    assert_int_equal(server_wait(), 0);
    black_hole_close(&hole);
    assert_int_equal(witness->reasons[PARLEY_UNREACHED], 0);
}

static void a_stop_calls_dials_off(void **state)
{
    (void)state;
    in_models(LONERS, called_off_in);
}

static void late_in(const char *model)
{
    char address[64];
    int there = 0;
    struct black_hole hole = black_hole_open("127.0.0.1", &there);

    server_make(&asker, model, OPTIONS("connect-timeout", "60ms"));
    snprintf(address, sizeof address, "127.0.0.1:%d", there);
    assert_int_equal(parley_dial(server, address), 0);
    server_run();
    assert_int_equal(server_wait(), PARLEY_TIMEOUT);
    assert_non_null(strstr(server_sentence, "timed out after 60 ms"));
    black_hole_close(&hole);
    assert_int_equal(witness->reasons[PARLEY_UNREACHED], 1);
}

static void dials_keep_their_deadline(void **state)
{
    (void)state;
    in_models(LONERS, late_in);
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    server_make(&asker, "prethread+epoll", NULL);
    assert_int_equal(parley_dial(server, "nonsense"), PARLEY_USAGE);
    assert_int_equal(parley_dial(server, "host:99999"), PARLEY_USAGE);
    check_failure(parley_run(server), PARLEY_USAGE, "nothing to run");
    parley_server_free(server);
    server = NULL;
}

/* ---- watching ------------------------------------------------------------------------------- */

static int watched[2];

/* Takes a byte at a time: what is left must be told again. */
static void one_byte(parley_server *its, int descriptor)
{
    char byte;
    ssize_t n = read(descriptor, &byte, 1);

    if (its != server)
        atomic_fetch_add(&witness->misuse, 1);
    if (n == 1) {
        atomic_fetch_add(&witness->bytes, (unsigned char)byte);
        atomic_fetch_add(&witness->received, 1);
    } else {
        parley_watch_pause(its, descriptor, true);
        atomic_fetch_add(&witness->ended, 1);
    }
}

static void pipe_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    assert_int_equal(pipe2(watched, O_CLOEXEC), 0);
    server_make_listening(&witnessed_echo, model, NULL);
    assert_int_equal(parley_watch(server, watched[0], one_byte), 0);
    server_run();
    client_is_served();
    assert_int_equal(write(watched[1], "\1\2\3\4", 4), 4);
    UNTIL(witness->received == 5);
    assert_int_equal(witness->bytes, 10 + 5);
    client_is_served();
    close(watched[1]);
    UNTIL(witness->ended == 1);
    client_is_served();
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->ended, 1);
    assert_int_equal(fcntl(watched[0], F_GETFD), FD_CLOEXEC); /* it stays ours */
    close(watched[0]);
}

static void watches_a_pipe(void **state)
{
    (void)state;
    in_models(LONERS, pipe_in);
}

static void file_in(const char *model)
{
    char name[] = "/tmp/parley-watch-XXXXXX";

    if (model_has(model, "blocking"))
        return;
    int fd = mkstemp(name);
    unlink(name);
    assert_int_equal(write(fd, "\1\2\3\4", 4), 4);
    lseek(fd, 0, SEEK_SET);
    server_make_listening(&witnessed_echo, model, NULL);
    assert_int_equal(parley_watch(server, fd, one_byte), 0);
    server_run();
    UNTIL(witness->ended == 1);
    assert_int_equal(witness->bytes, 10);
    client_is_served();
    assert_int_equal(server_stop(), 0);
    close(fd);
}

static void watches_a_regular_file(void **state)
{
    (void)state;
    in_models(LONERS, file_in);
}

/* Each of two pauses the other: what was found ready together may not be told any more. */
static int others[2];
static atomic_int told;

static void pause_the_other(parley_server *its, int descriptor)
{
    atomic_fetch_add(&told, 1);
    parley_watch_pause(its, others[0], true);
    parley_watch_pause(its, others[1], true);
    (void)descriptor;
}

static void pause_in(const char *model)
{
    int pipes[2][2];

    if (model_has(model, "blocking"))
        return;
    atomic_store(&told, 0);
    server_make_listening(&witnessed_echo, model, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
        others[i] = pipes[i][0];
        assert_int_equal(parley_watch(server, others[i], pause_the_other), 0);
    }
    server_run();
    UNTIL(told > 0);
    client_is_served();
    assert_int_equal(server_stop(), 0);
    assert_int_equal(told, 1);
    for (int i = 0; i < 2; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

static void a_paused_watch_is_silent(void **state)
{
    (void)state;
    in_models(LONERS, pause_in);
}

static void wrong_watches_are_refused(void **state)
{
    (void)state;
    server_make(&witnessed_echo, "prethread+epoll", NULL);
    check_failure(parley_watch(server, -1, one_byte), PARLEY_USAGE, "not open");
    check_failure(parley_watch(server, 1000, one_byte), PARLEY_USAGE, "not open");
    assert_int_equal(parley_watch(server, 0, one_byte), 0);
    check_failure(parley_watch(server, 0, one_byte), PARLEY_USAGE, "already");
    parley_server_free(server);
    server = NULL;
}

/* ---- what a model cannot give --------------------------------------------------------------- */

static void refused_in(const char *model)
{
    server_make(&asker, model, NULL);
    assert_int_equal(parley_dial(server, "127.0.0.1:9"), 0);
    assert_int_equal(parley_watch(server, 0, one_byte), 0);
    if (model_has(model, "blocking"))
        check_failure(parley_run(server), PARLEY_USAGE, "choose select, poll, epoll or uring");
    else if (!in_this_process(model))
        check_failure(parley_run(server), PARLEY_USAGE, "choose iterative or prethread");
    parley_server_free(server);
    server = NULL;
}

static void some_models_watch_and_dial_nothing(void **state)
{
    (void)state;
    in_models(NULL, refused_in);
}

static void need(const char *model, unsigned needs, const char *workers, const char *sentence)
{
    const parley_handler needy = PARLEY_HANDLER(.name = "needy", .needs = needs);

    server_make_listening(&needy, model, OPTIONS("workers", workers));
    check_failure(parley_run(server), PARLEY_USAGE, sentence);
    assert_non_null(strstr(parley_error(), "needy cannot run under "));
    parley_server_free(server);
    server = NULL;
}

static void needs_are_checked(void **state)
{
    (void)state;
    need("iterative+epoll", PARLEY_CONCURRENT, "2", "one after another");
    need("iterative+blocking", PARLEY_PUSH, "2", "one after another");
    need("prethread+blocking", PARLEY_PUSH, "2", "speaks without being spoken to");
    need("thread+blocking", PARLEY_PUSH, "2", "speaks without being spoken to");
    need("fork+poll", PARLEY_PUSH, "2", "share one memory");
    need("prefork+epoll", PARLEY_PUSH, "2", "share one memory");
    need("prethread+blocking", PARLEY_CONCURRENT, "1", "at the same time");
    need("prefork+blocking", PARLEY_CONCURRENT, "1", "at the same time");
    server_make(&asker, "prethread+epoll", OPTIONS("high-water", "2MiB", "queue-max", "1MiB"));
    assert_int_equal(parley_dial(server, "127.0.0.1:9"), 0);
    check_failure(parley_run(server), PARLEY_USAGE,
                  "queue-max (1048576) must be at least high-water (2097152) and 16 KiB");
    parley_server_free(server);
    server = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(dials),
        SERVER_TEST(listens_and_dials),
        SERVER_TEST(says_who_was_not_reached),
        SERVER_TEST(a_stop_calls_dials_off),
        SERVER_TEST(dials_keep_their_deadline),
        SERVER_TEST(wrong_addresses_are_refused),
        SERVER_TEST(watches_a_pipe),
        SERVER_TEST(watches_a_regular_file),
        SERVER_TEST(a_paused_watch_is_silent),
        SERVER_TEST(wrong_watches_are_refused),
        SERVER_TEST(some_models_watch_and_dial_nothing),
        SERVER_TEST(needs_are_checked),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
