/* Back-pressure, pauses and timers in all models. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "serving.h"

struct flow {
    struct seen seen;
    int stage;
};

/* ---- answers -------------------------------------------------------------------------------- */

/* The first answer is lent from what was received, the others have to wait for it. */
static void answer_twice(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    parley_send(conn, bytes, size);
    parley_send(conn, "#", 1);
    parley_send(conn, bytes, size);
}

/* However the kernel has cut what was sent: "run#run", run by run. */
static void check_answers(const char *heard, size_t heard_size, const char *said, size_t size)
{
    while (size > 0) {
        const char *mark = memchr(heard, '#', heard_size);
        assert_non_null(mark);
        size_t run = (size_t)(mark - heard);
        assert_in_range(run, 1, size);
        assert_true(heard_size >= 2 * run + 1);
        assert_memory_equal(heard, said, run);
        assert_memory_equal(mark + 1, said, run);
        heard += 2 * run + 1;
        heard_size -= 2 * run + 1;
        said += run;
        size -= run;
    }
    assert_int_equal(heard_size, 0);
}

static void answer_of(size_t size)
{
    char *said = malloc(size), *heard = malloc(3 * size + 1);
    size_t heard_size = 0;
    int fd = client_open();
    assert_non_null(said);
    assert_non_null(heard);
    for (size_t i = 0; i < size; i++)
        said[i] = (char)('A' + i % 53 % 26);
    client_say(fd, said, size);
    client_finish(fd);
    ssize_t got;
    while ((got = recv(fd, heard + heard_size, 3 * size + 1 - heard_size, 0)) > 0 ||
           (got < 0 && errno == EINTR)) /* a process of the server's has ended */
        heard_size += got > 0 ? (size_t)got : 0;
    check_answers(heard, heard_size, said, size);
    client_leave(fd);
    free(said);
    free(heard);
}

static void answers_in(const char *model)
{
    static const parley_handler twice = WITNESS(.received = answer_twice);
    server_start(&twice, model, NULL);
    answer_of(1);
    answer_of(900);
    answer_of(3000);
    answer_of(5000);
    answer_of(100000);
    UNTIL(witness->closed == 5);
    assert_int_equal(server_stop(), 0);
}

static void answers_keep_their_order(void **state)
{
    (void)state;
    in_models(NULL, answers_in);
}

/* ---- pausing -------------------------------------------------------------------------------- */

/* Pauses at each message, and takes the next one when the timer says so. */
static void pausing_received(parley_conn *conn, const void *bytes, size_t size)
{
    struct flow *flow = parley_state(conn);

    saw_received(conn, size);
    parley_send(conn, bytes, size);
    parley_pause(conn);
    flow->seen.paused = true;
    parley_set_timer(conn, 1);
}

/* Every other time it thinks better of it: resumed and paused again is paused. */
static void resume_sometimes(parley_conn *conn)
{
    struct flow *flow = parley_state(conn);

    saw_timed(conn);
    parley_resume(conn);
    if (++flow->stage % 2 != 0) {
        parley_pause(conn);
        parley_set_timer(conn, 0);
        return;
    }
    flow->seen.paused = false;
}

static const parley_handler pausing =
    PARLEY_HANDLER(.name = "pausing", .state_size = sizeof(struct flow), .framing = "line",
                   .opened = saw_opened, .received = pausing_received, .timed = resume_sometimes,
                   .closed = saw_closed);

/* All lines come at once, so those not taken yet are kept; and the end comes after the last of them. */
static void pause_in(const char *model)
{
    static const char lines[] = "one\ntwo\n\nfour\nfive\n";
    server_start(&pausing, model, NULL);
    int fd = client_open();
    client_say(fd, lines, sizeof lines - 1);
    client_finish(fd);
    client_hear(fd, lines, sizeof lines - 1);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->received, 5);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void kept_messages_come_one_by_one(void **state)
{
    (void)state;
    in_models(NULL, pause_in);
}

/* Raw bytes are held back in the kernel. */
static void hold_opened(parley_conn *conn)
{
    struct flow *flow = parley_state(conn);

    saw_opened(conn);
    parley_pause(conn);
    flow->seen.paused = true;
    parley_set_timer(conn, 30);
}

static void let_go(parley_conn *conn)
{
    struct flow *flow = parley_state(conn);

    saw_timed(conn);
    flow->seen.paused = false;
    parley_resume(conn);
}

static const parley_handler holding =
    PARLEY_HANDLER(.name = "holding", .state_size = sizeof(struct flow), .opened = hold_opened,
                   .received = echo_received, .timed = let_go, .closed = saw_closed);

static void hold_in(const char *model)
{
    server_start(&holding, model, NULL);
    int fd = client_open();
    client_echo_bulk(fd, 300000);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->timed, 1);
}

static void paused_receives_nothing(void **state)
{
    (void)state;
    in_models(NULL, hold_in);
}

static void pause_after_first(parley_conn *conn, const void *bytes, size_t size)
{
    struct flow *flow = parley_state(conn);

    saw_received(conn, size);
    parley_send(conn, bytes, size);
    if (flow->stage++ == 0) {
        parley_pause(conn);
        flow->seen.paused = true;
        parley_set_timer(conn, 30);
    }
}

static const parley_handler pausing_raw =
    PARLEY_HANDLER(.name = "pausing raw", .state_size = sizeof(struct flow), .opened = saw_opened,
                   .received = pause_after_first, .timed = let_go, .closed = saw_closed);

static void pause_raw_in(const char *model)
{
    server_start(&pausing_raw, model, NULL);
    int fd = client_open();
    client_echo_bulk(fd, 1 << 20);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
}

static void paused_in_mid_stream_receives_nothing(void **state)
{
    (void)state;
    in_models(NULL, pause_raw_in);
}

static void stay_paused(parley_conn *conn)
{
    saw_opened(conn);
    parley_pause(conn);
}

static const parley_handler deaf_ears = PARLEY_HANDLER(.name = "deaf ears", .state_size = sizeof(struct seen),
                                                       .opened = stay_paused, .closed = saw_closed);

/* No call is under way that would tell it, and bytes that nobody reads are there before it. */
static void reset_in(const char *model)
{
    server_start(&deaf_ears, model, NULL);
    int fd = client_open();
    client_say(fd, "unheard", 7);
    UNTIL(witness->opened == 1);
    usleep(20000); /* it sleeps by then, most of the time: either way it must be told */
    client_reset(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_RESET], 1);
}

/* select is told of it a second later: its models are few. */
static void a_paused_connection_hears_of_a_reset(void **state)
{
    (void)state;
    in_models("blocking poll epoll uring prethread+select", reset_in);
}

/* An end is no reset: what the peer sent before it may still be wanted. */
static void end_unheard_in(const char *model)
{
    server_start(&pausing_raw, model, NULL);
    int fd = client_open();
    client_say(fd, "x", 1);
    client_hear(fd, "x", 1);
    client_say(fd, "before the end", 14);
    client_finish(fd);
    client_hear(fd, "before the end", 14);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void a_paused_connection_keeps_what_precedes_an_end(void **state)
{
    (void)state;
    in_models(NULL, end_unheard_in);
}

/* ---- drained -------------------------------------------------------------------------------- */

enum { PIECE = 50000, PIECES = 40 };

static void produce(parley_conn *conn)
{
    static char piece[PIECE];
    struct flow *flow = parley_state(conn);

    if (parley_queued(conn) != 0)
        atomic_fetch_add(&witness->misuse, 1);
    memset(piece, 'a' + flow->stage % 26, sizeof piece);
    if (flow->stage++ < PIECES)
        parley_send(conn, piece, sizeof piece);
    else
        parley_finish(conn);
}

static void produce_opened(parley_conn *conn)
{
    saw_opened(conn);
    produce(conn);
}

static void produce_drained(parley_conn *conn)
{
    saw_drained(conn);
    produce(conn);
}

static const parley_handler producer =
    PARLEY_HANDLER(.name = "producer", .state_size = sizeof(struct flow), .opened = produce_opened,
                   .drained = produce_drained, .closed = saw_closed);

static void drained_in(const char *model)
{
    /* Before the server forks: AddressSanitizer's allocator is locked in a child forked while it was in use.
     */
    char *piece = malloc(PIECE);
    server_start(&producer, model, OPTIONS("send-buffer", "8KiB"));
    int fd = client_open();
    for (int i = 0; i < PIECES; i++) {
        memset(piece, 'a' + i % 26, PIECE);
        client_hear(fd, piece, PIECE);
    }
    free(piece);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->drained, PIECES);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void drained_asks_for_more(void **state)
{
    (void)state;
    in_models(NULL, drained_in);
}

/* ---- high water and the hard cap ------------------------------------------------------------ */

static void watched_echo(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    parley_send(conn, bytes, size);
    size_t queued = parley_queued(conn);
    if (queued > atomic_load(&witness->number))
        atomic_store(&witness->number, queued);
}

static const parley_handler watched = WITNESS(.received = watched_echo);

/* The peer says much and hears nothing: what is queued for it stays near the mark, and all of it comes. */
static void high_water_in(const char *model)
{
    enum { SIZE = 3 << 20 };
    server_start(&watched, model, OPTIONS("high-water", "64KiB", "send-buffer", "128KiB"));
    int fd = client_open();
    client_echo_bulk(fd, SIZE);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->bytes, SIZE);
    /* A receive buffer beyond it, and what a ring may have completed already. */
    assert_in_range(witness->number, 0, 4 << 20);
}

static void high_water_pauses_reading(void **state)
{
    (void)state;
    in_models(NULL, high_water_in);
}

static void flood(parley_conn *conn, const void *bytes, size_t size)
{
    static char much[100000];
    int status = 0;

    (void)bytes;
    saw_received(conn, size);
    for (int i = 0; i < 1000 && status == 0; i++)
        status = parley_send(conn, much, sizeof much);
    if (status != PARLEY_FULL || strstr(parley_error(), "queue-max") == NULL)
        atomic_fetch_add(&witness->misuse, 1);
    if (parley_send(conn, much, 1) != PARLEY_STALE)
        atomic_fetch_add(&witness->misuse, 1);
}

static const parley_handler flooder = WITNESS(.received = flood);

static void overflow_in(const char *model)
{
    server_start(&flooder, model,
                 OPTIONS("queue-max", "1MiB", "high-water", "64KiB", "send-buffer", "16KiB"));
    int fd = client_open();
    client_say(fd, "go", 2);
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_OVERFLOW], 1);
}

static void beyond_queue_max_is_cut(void **state)
{
    (void)state;
    in_models(NULL, overflow_in);
}

/* ---- timers --------------------------------------------------------------------------------- */

/* Counts to ten by timers without delay, cancels one, moves one, and sets one too far away to come. */
static void tick(parley_conn *conn)
{
    struct flow *flow = parley_state(conn);

    saw_timed(conn);
    if (++flow->stage < 10) {
        parley_set_timer(conn, INT64_MAX);
        parley_set_timer(conn, 0);
    } else if (flow->stage == 10) {
        parley_set_timer(conn, 0);
        parley_set_timer(conn, -1);
        parley_send(conn, "ten", 3);
        parley_set_timer(conn, INT64_C(1) << 31);
    } else {
        atomic_fetch_add(&witness->misuse, 1);
    }
}

static void tick_opened(parley_conn *conn)
{
    saw_opened(conn);
    parley_set_timer(conn, 5);
}

static const parley_handler ticking =
    PARLEY_HANDLER(.name = "ticking", .state_size = sizeof(struct flow), .opened = tick_opened,
                   .received = echo_received, .timed = tick, .closed = saw_closed);

static void timers_in(const char *model)
{
    server_start(&ticking, model, NULL);
    int fd = client_open();
    client_hear(fd, "ten", 3);
    client_say(fd, "x", 1);
    client_hear(fd, "x", 1);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->timed, 10);
}

static void timers_of_handlers(void **state)
{
    (void)state;
    in_models(NULL, timers_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(answers_keep_their_order),
        SERVER_TEST(kept_messages_come_one_by_one),
        SERVER_TEST(paused_receives_nothing),
        SERVER_TEST(paused_in_mid_stream_receives_nothing),
        SERVER_TEST(a_paused_connection_hears_of_a_reset),
        SERVER_TEST(a_paused_connection_keeps_what_precedes_an_end),
        SERVER_TEST(drained_asks_for_more),
        SERVER_TEST(high_water_pauses_reading),
        SERVER_TEST(beyond_queue_max_is_cut),
        SERVER_TEST(timers_of_handlers),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
