/* Calls from other threads: parley_server_send(), finish and abort, and ids that outlive their connection. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/server.h"
#include "loopback.h"
#include "serving.h"

enum { CLIENTS = 4, WRITERS = 3, LETTERS = 300 };

static void remember_id(parley_conn *conn)
{
    saw_opened(conn);
    if (parley_id_of(conn) == 0)
        atomic_fetch_add(&witness->misuse, 1);
    atomic_store(&witness->number, parley_id_of(conn));
}

static const parley_handler named =
    PARLEY_HANDLER(.name = "named", .state_size = sizeof(struct seen), .opened = remember_id,
                   .received = echo_received, .closed = saw_closed);

static parley_id next_id(void)
{
    UNTIL(witness->number != 0);
    return atomic_exchange(&witness->number, 0);
}

static bool can_be_told(const char *model)
{
    return !model_forks(model) && !model_has(model, "blocking");
}

static void letters_in(const char *model)
{
    if (!can_be_told(model))
        return;
    server_start(&named, model, NULL);
    int fd = client_open();
    parley_id id = next_id();
    assert_int_equal(parley_server_send(server, id, "hello ", 6), 0);
    assert_int_equal(parley_server_send(server, id, "", 0), 0);
    assert_int_equal(parley_server_send(server, id, "world", 5), 0);
    client_hear(fd, "hello world", 11);
    assert_int_equal(parley_server_finish(server, id), 0);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    fd = client_open();
    id = next_id();
    assert_int_equal(parley_server_abort(server, id), 0);
    assert_int_equal(client_hear_end(fd, NULL), ECONNRESET);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
    assert_int_equal(witness->reasons[PARLEY_ABORTED], 1);
}

static void other_threads_may_speak(void **state)
{
    (void)state;
    in_models(NULL, letters_in);
}

/* An id of a connection that has gone never reaches the next one, in the same slot or not. */
static void stale_in(const char *model)
{
    if (!can_be_told(model))
        return;
    server_start(&named, model, NULL);
    client_leave(client_open());
    UNTIL(witness->closed == 1);
    parley_id stale = next_id();
    int fd = client_open();
    parley_id id = next_id();
    assert_true(id != stale);
    for (int i = 0; i < 10; i++) {
        int status = parley_server_send(server, stale, "wrong", 5);
        assert_true(status == 0 || status == PARLEY_STALE);
        parley_server_finish(server, stale);
        parley_server_abort(server, stale);
    }
    check_failure(parley_server_send(server, 0, "none", 4), PARLEY_STALE, "gone");
    check_failure(parley_server_abort(server, UINT64_MAX), PARLEY_STALE, "gone");
    check_failure(parley_server_finish(server, id + (UINT64_C(77) << 44)), PARLEY_STALE, "gone");
    assert_int_equal(parley_server_send(server, id, "right", 5), 0);
    client_hear(fd, "right", 5);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_ABORTED], 0);
}

static void stale_ids_reach_nobody(void **state)
{
    (void)state;
    in_models(NULL, stale_in);
}

static void unreachable_in(const char *model)
{
    if (can_be_told(model))
        return;
    server_start(&named, model, NULL);
    int fd = client_open();
    parley_id id = next_id();
    int status = parley_server_send(server, id, "x", 1);
    if (model_forks(model))
        check_failure(status, PARLEY_STALE, "another process");
    else
        check_failure(status, PARLEY_USAGE, "blocked in recv");
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
}

static void some_models_cannot_be_told(void **state)
{
    (void)state;
    in_models(NULL, unreachable_in);
}

/* ---- one client's message goes to another --------------------------------------------------- */

static _Atomic parley_id first_of_two;

static void remember_first(parley_conn *conn)
{
    parley_id nobody = 0;
    saw_opened(conn);
    atomic_compare_exchange_strong(&first_of_two, &nobody, parley_id_of(conn));
}

static void tell_first(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    if (parley_server_send(parley_server_of(conn), first_of_two, bytes, size) < 0)
        atomic_fetch_add(&witness->misuse, 1);
}

static void push_in(const char *model)
{
    const parley_handler teller =
        PARLEY_HANDLER(.name = "teller", .needs = PARLEY_PUSH, .state_size = sizeof(struct seen),
                       .opened = remember_first, .received = tell_first, .closed = saw_closed);

    if (model_has(model, "blocking"))
        return;
    atomic_store(&first_of_two, 0);
    server_start(&teller, model, NULL);
    int first = client_open();
    UNTIL(witness->opened == 1);
    int second = client_open();
    client_say(second, "news", 4);
    client_hear(first, "news", 4);
    client_leave(first);
    client_leave(second);
    assert_int_equal(server_stop(), 0);
}

static void clients_may_speak_to_each_other(void **state)
{
    (void)state;
    in_models("thread prethread", push_in);
}

/* ---- many writers, while connections come and go -------------------------------------------- */

struct writer {
    pthread_t thread;
    const parley_id *ids;
    char letter;
};

static void *write_letters(void *context)
{
    const struct writer *writer = context;

    for (int i = 0; i < LETTERS;)
        if (parley_server_send(server, writer->ids[i % CLIENTS], &writer->letter, 1) == 0)
            i++;
        else
            sched_yield();
    return NULL;
}

static void check_share(int fd)
{
    char heard[WRITERS * LETTERS / CLIENTS + 1] = "";
    int counts[WRITERS] = {0};
    size_t got = 0;

    while (got < sizeof heard - 1) {
        ssize_t n = read(fd, heard + got, sizeof heard - 1 - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    for (size_t i = 0; i < got; i++)
        counts[heard[i] - 'a']++;
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(counts[i], LETTERS / CLIENTS);
}

static void crowd_in(const char *model)
{
    struct writer writers[WRITERS];
    parley_id ids[CLIENTS];
    int fds[CLIENTS];

    if (!can_be_told(model) || model_has(model, "iterative"))
        return;
    server_start(&named, model, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = client_open();
        ids[i] = next_id();
    }
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.ids = ids, .letter = (char)('a' + i)};
        pthread_create(&writers[i].thread, NULL, write_letters, &writers[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        client_leave(client_open()); /* beside them */
        check_share(fds[i]);
        client_leave(fds[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    UNTIL(witness->closed == 2 * CLIENTS);
    assert_int_equal(server_stop(), 0);
}

static void many_threads_may_speak(void **state)
{
    (void)state;
    in_models(NULL, crowd_in);
}

/* FAULTS E11: writers that do not stop while the server does. */
static atomic_bool over;

static void *write_on(void *context)
{
    const parley_id *id = context;

    while (!atomic_load(&over)) {
        parley_server_send(server, *id, "x", 1);
        parley_server_finish(server, *id + 1);
    }
    return NULL;
}

static void stop_in(const char *model)
{
    pthread_t writer;

    if (!can_be_told(model))
        return;
    server_start(&named, model, OPTIONS("drain", "50ms", "linger", "20ms"));
    int fd = client_open();
    parley_id id = next_id();
    atomic_store(&over, false);
    pthread_create(&writer, NULL, write_on, &id);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
    parley_stop(server);
    client_hear_end(fd, NULL);
    UNTIL(witness->closed == 1);
    atomic_store(&over, true);
    pthread_join(writer, NULL);
    client_leave(fd);
    assert_int_equal(server_wait(), 0);
}

static void speaking_into_a_stop_is_safe(void **state)
{
    (void)state;
    in_models(NULL, stop_in);
}

/* A worker that has ended keeps its number until it is reaped. */
static bool is_alone(void)
{
    pthread_mutex_lock(&server->lock);
    bool alone = server->workers->next == NULL;
    pthread_mutex_unlock(&server->lock);
    return alone;
}

/* Numbers of workers come back once all have been given, sooner where others are still taken: the next one
 * here begins anew. */
static void number_in(const char *model)
{
    if (!can_be_told(model))
        return;
    server_start(&named, model, NULL);
    int first = client_open();
    parley_id before = next_id();
    client_leave(first);
    UNTIL(witness->closed == 1 && is_alone());
    check_failure(parley_server_finish(server, before), PARLEY_STALE, "gone");
    pthread_mutex_lock(&server->lock);
    server->last_index = MOST_INDEXES - 1;
    pthread_mutex_unlock(&server->lock);
    int second = client_open();
    parley_id now = next_id();
    assert_true(now >> 44 == before >> 44 && now != before);
    parley_server_finish(server, before);
    client_say(second, "hello", 5);
    client_hear(second, "hello", 5);
    client_leave(second);
    assert_int_equal(server_stop(), 0);
}

static void a_worker_s_number_comes_back_and_an_id_does_not(void **state)
{
    (void)state;
    in_models("thread", number_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(other_threads_may_speak),
        SERVER_TEST(stale_ids_reach_nobody),
        SERVER_TEST(some_models_cannot_be_told),
        SERVER_TEST(clients_may_speak_to_each_other),
        SERVER_TEST(many_threads_may_speak),
        SERVER_TEST(speaking_into_a_stop_is_safe),
        SERVER_TEST(a_worker_s_number_comes_back_and_an_id_does_not),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
