/* Connections beside a connection: adopted, connected and bridged. */
#include <errno.h>
#include <netinet/in.h>
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

/* ---- a relay, as a user of the library would write it --------------------------------------- */

static int upstream = -1; /* the listener of the other side */
static char target[64];

static void guest_closed(parley_conn *conn, parley_reason reason)
{
    const atomic_int *mark = parley_user(conn);

    if (mark != &witness->other)
        atomic_fetch_add(&witness->misuse, 1);
    atomic_fetch_add(&witness->timed, 1); /* how many guests have gone */
    if (reason == PARLEY_UNREACHED && strstr(parley_failure(conn), "connect") != NULL)
        atomic_fetch_add(&witness->flag, 1);
}

static const parley_handler guest = PARLEY_HANDLER(.name = "guest", .closed = guest_closed);

static void relay_opened(parley_conn *conn)
{
    saw_opened(conn);
    parley_conn *other = parley_connect(conn, target, &guest, &witness->other);
    if (!other || parley_bridge(conn, other) < 0)
        parley_abort(conn);
}

static const parley_handler relay =
    PARLEY_HANDLER(.name = "relay", .state_size = sizeof(struct seen), .needs = PARLEY_BESIDE,
                   .opened = relay_opened, .closed = saw_closed);

static void relay_start(const char *model, const char *host, const char *const *options)
{
    int there = 0;

    upstream = loopback_listen("127.0.0.1", &there, 16);
    snprintf(target, sizeof target, "%s%d", host, there);
    server_start(&relay, model, options);
}

static int upstream_accept(void)
{
    struct timeval patience = {.tv_sec = PATIENCE / 1000};
    int fd = -1;

    while ((fd = accept(upstream, NULL, NULL)) < 0 && errno == EINTR)
        continue;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void relay_stop(void)
{
    UNTIL(witness->timed == witness->opened);
    assert_int_equal(server_stop(), 0);
    close(upstream);
    assert_int_equal(witness->closed, witness->opened);
}

static void ends_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    relay_start(model, "127.0.0.1:", NULL);
    int fd = client_open();
    client_say(fd, "question", 8); /* before the other side is there */
    client_finish(fd);
    int other = upstream_accept();
    client_hear(other, "question", 8);
    assert_int_equal(client_hear_end(other, NULL), 0);
    client_say(other, "a late answer", 13);
    client_finish(other);
    client_hear(fd, "a late answer", 13);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    close(fd);
    close(other);
    relay_stop();
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void carries_bytes_and_ends(void **state)
{
    (void)state;
    in_models(LONERS, ends_in);
}

static void upstream_first_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    relay_start(model, "", NULL); /* no host: two addresses, dialled apart */
    int fd = client_open(), other = upstream_accept();
    client_say(other, "banner", 6);
    client_finish(other);
    client_hear(fd, "banner", 6);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_say(fd, "and more", 8); /* the other direction is as it was */
    client_hear(other, "and more", 8);
    client_finish(fd);
    assert_int_equal(client_hear_end(other, NULL), 0);
    close(fd);
    close(other);
    relay_stop();
}

static void the_other_side_may_end_first(void **state)
{
    (void)state;
    in_models(LONERS, upstream_first_in);
}

/* What the client says before a TLS handshake is over does not go out in the clear. */
static void handshake_in(const char *model)
{
    unsigned char bytes[2048] = {0};
    size_t got = 0;

    if (model_has(model, "blocking"))
        return;
    relay_start(model, "127.0.0.1:", OPTIONS("dial-tls", "on", "insecure", "on"));
    int fd = client_open();
    client_say(fd, "the secret", 10);
    client_finish(fd);
    int other = upstream_accept();
    while (got < 200) {
        ssize_t n = recv(other, bytes + got, sizeof bytes - got, 0);
        assert_true(n > 0 || (n < 0 && errno == EINTR));
        got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(bytes[0], 22); /* a record of the handshake */
    assert_null(memmem(bytes, got, "secret", 6));
    client_reset(other);
    assert_int_equal(client_hear_end(fd, NULL), ECONNRESET);
    close(fd);
    relay_stop();
}

static void nothing_precedes_a_handshake(void **state)
{
    (void)state;
    in_models(LONERS, handshake_in);
}

static void *echo_upstream(void *unused)
{
    char bytes[65536];
    ssize_t n;
    int fd = upstream_accept();

    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            client_say(fd, bytes, (size_t)n);
    close(fd);
    return unused;
}

static void bulk_in(const char *model)
{
    pthread_t echo;

    if (model_has(model, "blocking"))
        return;
    relay_start(model, "127.0.0.1:", OPTIONS("high-water", "20KiB"));
    pthread_create(&echo, NULL, echo_upstream, NULL);
    int fd = client_open();
    client_echo_bulk(fd, 4 << 20);
    client_finish(fd);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    close(fd);
    pthread_join(echo, NULL);
    relay_stop();
}

static void loses_nothing_to_back_pressure(void **state)
{
    (void)state;
    in_models(LONERS, bulk_in);
}

static void resets_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    relay_start(model, "127.0.0.1:", NULL);
    int fd = client_open(), other = upstream_accept();
    client_say(fd, "x", 1);
    client_hear(other, "x", 1);
    client_reset(other);
    assert_int_equal(client_hear_end(fd, NULL), ECONNRESET);
    close(fd);
    UNTIL(witness->timed == 1);
    fd = client_open();
    other = upstream_accept();
    client_say(fd, "x", 1);
    client_hear(other, "x", 1);
    client_reset(fd);
    assert_int_equal(client_hear_end(other, NULL), ECONNRESET);
    close(other);
    relay_stop();
    assert_int_equal(witness->reasons[PARLEY_ABORTED], 1);
    assert_int_equal(witness->reasons[PARLEY_RESET], 1);
}

static void carries_resets(void **state)
{
    (void)state;
    in_models(LONERS, resets_in);
}

static void unreached_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    relay_start(model, "127.0.0.1:", NULL);
    close(upstream);
    int fd = client_open();
    assert_int_equal(client_hear_end(fd, NULL), ECONNRESET);
    close(fd);
    UNTIL(witness->flag == 1);
    server_stop();
}

static void ends_with_who_is_not_reached(void **state)
{
    (void)state;
    in_models(LONERS, unreached_in);
}

/* Nobody listens on the server's port any more. */
static bool is_free(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    bool bound = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return bound;
}

static void drain_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    relay_start(model, "127.0.0.1:", OPTIONS("drain", "8s"));
    int fd = client_open(), other = upstream_accept();
    client_say(fd, "before", 6);
    client_hear(other, "before", 6);
    parley_stop(server);
    UNTIL(is_free());
    client_say(other, "while it stops", 14);
    client_hear(fd, "while it stops", 14);
    client_leave(other);
    client_leave(fd);
    assert_int_equal(server_wait(), 0);
    close(upstream);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void a_stop_lets_bridges_end(void **state)
{
    (void)state;
    in_models("prethread", drain_in);
}

/* ---- adopting ------------------------------------------------------------------------------- */

static int program; /* the other end of the pair: stands for a program */

static void adopt_opened(parley_conn *conn)
{
    int pair[2];

    saw_opened(conn);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    parley_conn *adopted = parley_adopt(conn, pair[0], &guest, &witness->other);
    if (!adopted) {
        close(pair[1]);
        atomic_store(&witness->flag, 1);
        parley_finish(conn);
        return;
    }
    if (parley_bridge(adopted, conn) < 0 || parley_bridge(conn, adopted) != PARLEY_USAGE)
        atomic_fetch_add(&witness->misuse, 1);
    program = pair[1];
    atomic_store(&witness->flag, 1);
}

static const parley_handler adopter = PARLEY_HANDLER(.name = "adopter", .state_size = sizeof(struct seen),
                                                     .opened = adopt_opened, .closed = saw_closed);

/* It leaves while its client still talks: what it said before must come through all the same. */
static void program_in(const char *model)
{
    static char words[100000];

    if (model_has(model, "blocking"))
        return;
    server_start(&adopter, model, OPTIONS("idle", "50ms", "high-water", "1KiB"));
    int fd = client_open();
    UNTIL(witness->flag == 1);
    client_say(fd, words, sizeof words);
    client_hear(program, words, 10);
    memset(words, 'w', sizeof words);
    client_say(program, words, sizeof words);
    close(program);
    size_t size = 0;
    client_say(fd, "still here", 10);
    assert_int_equal(client_hear_end(fd, &size), 0);
    assert_int_equal(size, sizeof words);
    client_leave(fd);
    UNTIL(witness->timed == 1);
    assert_int_equal(server_stop(), 0);
}

static void hears_a_program_to_its_end(void **state)
{
    (void)state;
    in_models(LONERS, program_in);
}

static void greeting_opened(parley_conn *conn)
{
    parley_send(conn, "hello", 5);
    adopt_opened(conn);
}

static const parley_handler greeter =
    PARLEY_HANDLER(.name = "greeter", .state_size = sizeof(struct seen), .opened = greeting_opened,
                   .drained = saw_drained, .closed = saw_closed);

/* What was sent before goes out first, and `drained` is not called for it any more. */
static void greeting_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    server_start(&greeter, model, NULL);
    int fd = client_open();
    UNTIL(witness->flag == 1);
    client_say(program, " world", 6);
    client_hear(fd, "hello world", 11);
    close(program);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->drained, 0);
}

static void a_bridge_has_no_drained(void **state)
{
    (void)state;
    in_models(LONERS, greeting_in);
}

static void refusal_in(const char *model)
{
    if (!model_has(model, "blocking"))
        return;
    server_start(&adopter, model, NULL);
    int fd = client_open();
    UNTIL(witness->flag == 1);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    server_make(&relay, model, NULL);
    check_failure(parley_check(server), PARLEY_USAGE, "choose select, poll, epoll or uring");
    parley_server_free(server);
    server = NULL;
}

static void blocking_has_one_connection(void **state)
{
    (void)state;
    in_models(LONERS, refusal_in);
}

/* ---- a guest with a life of its own --------------------------------------------------------- */

static void line_came(parley_conn *conn, const void *bytes, size_t size)
{
    unsigned *lines = parley_state(conn);

    if (++*lines == 2 && size == 3 && memcmp(bytes, "two", 3) == 0)
        parley_set_timer(conn, 1);
}

static void line_time(parley_conn *conn)
{
    atomic_fetch_add(&witness->number, 1);
    parley_finish(conn);
}

static const parley_handler lines =
    PARLEY_HANDLER(.name = "lines", .state_size = 1000, .framing = "line", .received = line_came,
                   .timed = line_time, .closed = guest_closed);

static void lines_opened(parley_conn *conn)
{
    int pair[2];

    saw_opened(conn);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        send(pair[1], "one\ntwo\n", 8, MSG_NOSIGNAL) != 8)
        return;
    parley_conn *beside = parley_adopt(conn, pair[0], &lines, &witness->other);
    if (beside && parley_bridge(beside, conn) != PARLEY_USAGE) /* it is framed */
        atomic_fetch_add(&witness->misuse, 1);
    close(pair[1]);
    parley_finish(conn);
}

static const parley_handler lines_beside = PARLEY_HANDLER(.name = "lines", .state_size = sizeof(struct seen),
                                                          .opened = lines_opened, .closed = saw_closed);

static void guest_in(const char *model)
{
    if (model_has(model, "blocking"))
        return;
    server_start(&lines_beside, model, NULL);
    int fd = client_open();
    assert_int_equal(client_hear_end(fd, NULL), 0);
    close(fd);
    UNTIL(witness->timed == 1);
    assert_int_equal(server_stop(), 0);
}

static void guests_have_framing_state_and_timer(void **state)
{
    (void)state;
    in_models(LONERS, guest_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(carries_bytes_and_ends),
        SERVER_TEST(the_other_side_may_end_first),
        SERVER_TEST(nothing_precedes_a_handshake),
        SERVER_TEST(loses_nothing_to_back_pressure),
        SERVER_TEST(carries_resets),
        SERVER_TEST(ends_with_who_is_not_reached),
        SERVER_TEST(a_stop_lets_bridges_end),
        SERVER_TEST(hears_a_program_to_its_end),
        SERVER_TEST(a_bridge_has_no_drained),
        SERVER_TEST(blocking_has_one_connection),
        SERVER_TEST(guests_have_framing_state_and_timer),
    };
    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
