/* One handler under all 25 models: bytes, messages, and how a connection ends. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "serving.h"

/* ---- bytes ---------------------------------------------------------------------------------- */

static void echo_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    for (int i = 0; i < 3; i++)
        client_is_served();
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->opened, 3);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 3);
    assert_int_equal(witness->bytes, 15);
}

static void echoes(void **state)
{
    (void)state;
    in_models(NULL, echo_in);
}

static void bulk_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    int fd = client_open();
    client_echo_bulk(fd, 3 << 20);
    client_finish(fd);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->bytes, 3 << 20);
}

static void echoes_much(void **state)
{
    (void)state;
    in_models(NULL, bulk_in);
}

/* FAULTS B1. */
static void byte_by_byte_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    int fd = client_open();
    for (int i = 0; i < 100; i++) {
        unsigned char byte = (unsigned char)i;
        client_say(fd, &byte, 1);
        client_hear(fd, &byte, 1);
    }
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
}

static void echoes_single_bytes(void **state)
{
    (void)state;
    in_models(NULL, byte_by_byte_in);
}

/* FAULTS B13: recv(2) stops at the urgent mark, with bytes behind it that make no new edge. */
static void urgent_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    for (int i = 0; i < 5; i++) {
        int fd = client_open();
        client_say(fd, "abc", 3);
        assert_int_equal(send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL), 1);
        client_say(fd, "def", 3);
        client_hear(fd, "abcdef", 6);
        client_say(fd, "ghi", 3);
        client_hear(fd, "ghi", 3);
        client_leave(fd);
    }
    assert_int_equal(server_stop(), 0);
}

static void an_urgent_byte_holds_nothing_up(void **state)
{
    (void)state;
    in_models(NULL, urgent_in);
}

/* ---- messages ------------------------------------------------------------------------------- */

static void message_received(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    if (parley_send(conn, bytes, size) < 0)
        parley_abort(conn);
}

static const parley_handler framed = WITNESS(.received = message_received);

struct wire {
    const char *framing;
    const char *bytes; /* three messages: "", "ab", "abc\n" or what the framing allows; echoed alike */
    size_t size;
    int messages;
};

static const struct wire wires[] = {
    {"line max=512", "\nab\nabc\n", 8, 3},
    {"u16be", "\0\0\0\2ab\0\4abc\n", 12, 3},
    {"u32be max=1MiB", "\0\0\0\0\0\0\0\2ab\0\0\0\4abc\n", 18, 3},
    {"varint", "\0\2ab\4abc\n", 9, 3},
    {"fixed=4", "abcdefghijkl", 12, 3},
    {"delim=\\r\\n max=4KiB", "\r\nab\r\na\rc\r\n", 11, 3},
};

static void speak_split(int fd, const struct wire *wire)
{
    for (size_t i = 0; i < wire->size; i++)
        client_say(fd, wire->bytes + i, 1);
    client_hear(fd, wire->bytes, wire->size);
}

static void framing_in(const char *model)
{
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++) {
        const struct wire *wire = &wires[i];
        int before = witness->received;
        server_start(&framed, model, OPTIONS("framing", wire->framing));
        int fd = client_open();
        speak_split(fd, wire);
        assert_int_equal(witness->received - before, wire->messages);
        client_say(fd, wire->bytes, wire->size); /* and all at once */
        client_hear(fd, wire->bytes, wire->size);
        client_finish(fd);
        assert_int_equal(client_hear_end(fd, NULL), 0);
        client_leave(fd);
        assert_int_equal(server_stop(), 0);
        assert_int_equal(witness->received - before, 2 * wire->messages);
    }
    assert_int_equal(witness->reasons[PARLEY_FINISHED], (int)(sizeof wires / sizeof *wires));
}

static void cuts_messages(void **state)
{
    (void)state;
    in_models(NULL, framing_in);
}

static void last_words(const char *framing, const char *bytes, size_t size, parley_reason reason)
{
    int before = witness->reasons[reason];
    server_start(&framed, model_now, OPTIONS("framing", framing));
    int fd = client_open();
    client_say(fd, bytes, size);
    client_finish(fd);
    client_hear_end(fd, NULL);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[reason], before + 1);
}

static void ends_in(const char *model)
{
    (void)model;
    last_words("u32be", "\0\0\0\7abc", 7, PARLEY_TRUNCATED);
    last_words("u32be", "\0\0", 2, PARLEY_TRUNCATED);
    last_words("fixed=4", "abcde", 5, PARLEY_TRUNCATED);
    last_words("line", "abc", 3, PARLEY_FINISHED); /* a last line without its LF is a line */
    last_words("line max=4", "abcdefgh\n", 9, PARLEY_BAD_MESSAGE);
    last_words("u32be max=1KiB", "\xff\xff\xff\xff", 4, PARLEY_BAD_MESSAGE);
    last_words("varint", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, PARLEY_BAD_MESSAGE);
}

static void tells_broken_messages(void **state)
{
    (void)state;
    in_models("iterative prethread", ends_in);
}

/* ---- ends ----------------------------------------------------------------------------------- */

static void send_and_finish(parley_conn *conn, const void *bytes, size_t size)
{
    static char much[200000];

    saw_received(conn, size);
    (void)bytes;
    memset(much, 'x', sizeof much);
    parley_send(conn, much, sizeof much);
    parley_finish(conn);
    parley_finish(conn);
    if (parley_send(conn, "late", 4) != PARLEY_STALE)
        atomic_fetch_add(&witness->misuse, 1);
}

static const parley_handler finisher = WITNESS(.received = send_and_finish);

/* The client goes on sending while the server finishes: no reset may take the last bytes with it. */
static void finish_in(const char *model)
{
    server_start(&finisher, model, NULL);
    int fd = client_open();
    size_t size;
    client_say(fd, "go", 2);
    for (int i = 0; i < 50; i++)
        (void)send(fd, "more", 4, MSG_NOSIGNAL);
    assert_int_equal(client_hear_end(fd, &size), 0);
    assert_int_equal(size, 200000);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->received, 1); /* what comes after parley_finish() is discarded */
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void finishing_loses_nothing(void **state)
{
    (void)state;
    in_models(NULL, finish_in);
}

/* Says all it has to say and its end at once, and hears what comes after. */
static void half_closer_opened(parley_conn *conn)
{
    saw_opened(conn);
    parley_send(conn, "question", 8);
    parley_half_close(conn);
    if (parley_send(conn, "late", 4) != PARLEY_STALE)
        atomic_fetch_add(&witness->misuse, 1);
}

static void half_closer_received(parley_conn *conn, const void *bytes, size_t size)
{
    (void)bytes;
    saw_received(conn, size);
}

static const parley_handler half_closer =
    PARLEY_HANDLER(.name = "half", .state_size = sizeof(struct seen), .opened = half_closer_opened,
                   .received = half_closer_received, .ended = NULL, .closed = saw_closed);

static void half_close_in(const char *model)
{
    size_t size;
    server_start(&half_closer, model, NULL);
    int fd = client_open();
    assert_int_equal(client_hear_end(fd, &size), 0);
    assert_int_equal(size, 8);
    client_say(fd, "the answer", 10);
    UNTIL(witness->bytes == 10);
    assert_int_equal(witness->closed, 0);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void half_close_leaves_receiving(void **state)
{
    (void)state;
    in_models(NULL, half_close_in);
}

static void half_close_at_end(parley_conn *conn)
{
    saw_ended(conn);
    parley_send(conn, "bye", 3);
    parley_half_close(conn);
}

static const parley_handler late_half_closer = WITNESS(.received = echo_received, .ended = half_close_at_end);

/* Both sides have said their end: nothing can happen any more, so nothing is kept. */
static void both_ends_in(const char *model)
{
    server_start(&late_half_closer, model, NULL);
    int fd = client_open();
    client_say(fd, "hi", 2);
    client_finish(fd);
    client_hear(fd, "hibye", 5);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    UNTIL(witness->closed == 1);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void half_closed_by_both_is_finished(void **state)
{
    (void)state;
    in_models(NULL, both_ends_in);
}

static void abort_received(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    parley_send(conn, bytes, size); /* small: still queued, to be dropped */
    parley_abort(conn);
    parley_abort(conn);
    if (parley_send(conn, "late", 4) != PARLEY_STALE)
        atomic_fetch_add(&witness->misuse, 1);
}

static const parley_handler aborter = WITNESS(.received = abort_received);

static void abort_in(const char *model)
{
    server_start(&aborter, model, NULL);
    int fd = client_open();
    client_say(fd, "go", 2);
    size_t size;
    assert_int_equal(client_hear_end(fd, &size), ECONNRESET);
    assert_int_equal(size, 0);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_ABORTED], 1);
}

static void aborting_resets(void **state)
{
    (void)state;
    in_models(NULL, abort_in);
}

static void reset_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    int fd = client_open();
    client_say(fd, "hello", 5);
    client_hear(fd, "hello", 5);
    client_reset(fd);
    UNTIL(witness->closed == 1);
    client_is_served();
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_RESET], 1);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], 1);
}

static void a_reset_is_told(void **state)
{
    (void)state;
    in_models(NULL, reset_in);
}

/* Everything a callback may do in `closed`, when it is too late for all of it. */
static void busy_closed(parley_conn *conn, parley_reason reason)
{
    saw_closed(conn, reason);
    parley_half_close(conn);
    parley_pause(conn);
    parley_resume(conn);
    parley_finish(conn);
    parley_abort(conn);
    parley_set_timer(conn, 0);
    if (parley_send(conn, "x", 1) != PARLEY_STALE || parley_peer(conn) == NULL)
        atomic_fetch_add(&witness->misuse, 1);
}

static void never_timed(parley_conn *conn)
{
    saw_timed(conn);
}

static const parley_handler busy_at_the_end =
    PARLEY_HANDLER(.name = "busy", .state_size = sizeof(struct seen), .opened = saw_opened,
                   .received = echo_received, .timed = never_timed, .closed = busy_closed);

static void too_late_in(const char *model)
{
    server_start(&busy_at_the_end, model, NULL);
    for (int i = 0; i < 10; i++)
        client_is_served();
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->closed, 10);
    assert_int_equal(witness->timed, 0);
}

static void closed_is_too_late_for_anything(void **state)
{
    (void)state;
    in_models(NULL, too_late_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(echoes),
        SERVER_TEST(echoes_much),
        SERVER_TEST(echoes_single_bytes),
        SERVER_TEST(an_urgent_byte_holds_nothing_up),
        SERVER_TEST(cuts_messages),
        SERVER_TEST(tells_broken_messages),
        SERVER_TEST(finishing_loses_nothing),
        SERVER_TEST(half_close_leaves_receiving),
        SERVER_TEST(half_closed_by_both_is_finished),
        SERVER_TEST(aborting_resets),
        SERVER_TEST(a_reset_is_told),
        SERVER_TEST(closed_is_too_late_for_anything),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
