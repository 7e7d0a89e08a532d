/* TLS on the blocking stream: whom it believes, what it carries, and how it ends. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loopback.h"
#include "serving.h"
#include "tls/tls.h"

enum { BULK = 1 << 20, PIECE = 100000 };

static parley_stream *stream;

static void dial_port(int to)
{
    char text[32];
    snprintf(text, sizeof text, "localhost:%d", to);
    stream = parley_stream_dial(text, PATIENCE);
    if (!stream)
        fail_msg("%s", parley_error());
    parley_stream_set_timeout(stream, PATIENCE);
}

static void begin(void)
{
    server_start(&witnessed_echo, "prethread+epoll", OPTIONS("tls", "self-signed", "workers", "1"));
    dial_port(port);
}

static void end(void)
{
    parley_stream_hang_up(stream);
    server_stop();
}

static void secure(const char *const *options)
{
    if (parley_stream_secure(stream, options) != 0)
        fail_msg("%s", parley_error());
}

/* ---- whom it believes ---- */

/* A refusal tells the fingerprint of the certificate: with that for a pin it is believed. */
static void nobody_is_believed_unless_told_so(void **state)
{
    char pin[128] = "", *told;
    (void)state;
    begin();
    check_failure(parley_stream_secure(stream, NULL), PARLEY_NETWORK, "nobody vouches for it");
    told = strstr(parley_error(), "sha256:");
    assert_non_null(told);
    snprintf(pin, sizeof pin, "%.71s", told);
    check_failure(parley_stream_write(stream, "x", 1), PARLEY_NETWORK, "nobody vouches for it");
    parley_stream_hang_up(stream);

    dial_port(port);
    secure(OPTIONS("pin", pin));
    assert_int_equal(parley_stream_write(stream, "hello", 5), 0);
    assert_int_equal(parley_stream_read_all(stream, pin, 5), 5);
    assert_memory_equal(pin, "hello", 5);
    parley_stream_hang_up(stream);

    dial_port(port);
    pin[8] = pin[8] == '0' ? '1' : '0';
    check_failure(parley_stream_secure(stream, OPTIONS("pin", pin)), PARLEY_USAGE, "pin");
    check_failure(
        parley_stream_secure(
            stream,
            OPTIONS("pin", "sha256:0000000000000000000000000000000000000000000000000000000000000000")),
        PARLEY_NETWORK, "is not the pinned one");
    end();
}

static void wrong_options_are_refused_and_harm_nothing(void **state)
{
    char byte;
    (void)state;
    begin();
    check_failure(parley_stream_secure(stream, OPTIONS("colour", "red")), PARLEY_USAGE, "no option 'colour'");
    check_failure(parley_stream_secure(stream, OPTIONS("insecure")), PARLEY_USAGE, "none of: on, off");
    check_failure(parley_stream_secure(stream, OPTIONS("tls", "self-signed")), PARLEY_USAGE, "listeners");
    check_failure(parley_stream_secure(stream, OPTIONS("dial-ca", "/nowhere")), PARLEY_USAGE, "no such file");
    secure(OPTIONS("insecure", "on"));
    check_failure(parley_stream_secure(stream, NULL), PARLEY_USAGE, "already");
    assert_int_equal(parley_stream_write(stream, "", 0), 0);
    assert_int_equal(parley_stream_write(stream, "y", 1), 0);
    assert_int_equal(parley_stream_read_all(stream, &byte, 1), 1);
    assert_int_equal(byte, 'y');
    end();
}

/* ---- what it carries ---- */

static void bytes_and_both_ends_pass(void **state)
{
    static unsigned char said[PIECE], heard[PIECE];
    (void)state;
    begin();
    secure(OPTIONS("insecure", "on"));
    for (size_t i = 0; i < sizeof said; i++)
        said[i] = (unsigned char)(i * 31 + i / 251);
    for (size_t sent = 0; sent < BULK; sent += PIECE) {
        assert_int_equal(parley_stream_write(stream, said, PIECE), 0);
        assert_int_equal(parley_stream_read_all(stream, heard, PIECE), PIECE);
        assert_memory_equal(heard, said, PIECE);
    }
    assert_int_equal(parley_stream_write(stream, "last", 4), 0);
    assert_int_equal(parley_stream_half_close(stream), 0);
    check_failure(parley_stream_write(stream, "more", 4), PARLEY_STALE, "has ended");
    assert_int_equal(parley_stream_read_all(stream, heard, PIECE), 4); /* and the end behind it */
    assert_int_equal(parley_stream_read(stream, heard, PIECE), 0);
    end();
}

/* ---- peers that fail ---- */

static int listener;
static const char *last_words; /* of the peer, in TLS; NULL: it says nothing at all */

static int put(void *fd, const void *bytes, size_t size)
{
    return send(*(int *)fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

static void speak(int fd, const struct tls *tls)
{
    unsigned char bytes[16384];
    struct tls_session *session = tls_session_new(tls, false, NULL, put, &fd);
    enum tls_outcome outcome = TLS_MORE;
    for (ssize_t size; outcome == TLS_MORE && (size = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        tls_lend(session, bytes, (size_t)size);
        outcome = tls_shake(session);
        tls_lend(session, NULL, 0);
    }
    if (outcome == TLS_DONE)
        tls_write(session, last_words, strlen(last_words));
    tls_session_free(session);
}

/* One client, whom it leaves without saying the end. */
static void *leave(void *unused)
{
    struct tls_policy policy;
    struct tls_keep *keep = tls_keep_new();
    struct tls *tls = NULL;
    int fd = accept(listener, NULL, NULL);
    tls_policy_default(&policy);
    if (last_words && tls_policy_set(&policy, "tls", "self-signed") == 0 &&
        tls_open(&tls, &policy, keep) == 0)
        speak(fd, tls);
    shutdown(fd, SHUT_WR);
    while (recv(fd, &(char){0}, 1, 0) > 0)
        ;
    close(fd);
    tls_close(tls);
    tls_keep_free(keep);
    tls_policy_free(&policy);
    return unused;
}

static pthread_t meet_one_that_leaves(const char *words)
{
    pthread_t thread;
    int to = 0;
    listener = loopback_listen("127.0.0.1", &to, 5);
    last_words = words;
    pthread_create(&thread, NULL, leave, NULL);
    dial_port(to);
    return thread;
}

static void part(pthread_t thread)
{
    parley_stream_hang_up(stream);
    pthread_join(thread, NULL);
    close(listener);
}

static void an_end_that_is_not_said_is_no_end(void **state)
{
    char bytes[16];
    (void)state;
    pthread_t thread = meet_one_that_leaves("all of it?");
    secure(OPTIONS("insecure", "on"));
    assert_int_equal(parley_stream_read_all(stream, bytes, 10), 10);
    assert_memory_equal(bytes, "all of it?", 10);
    for (int i = 0; i < 2; i++)
        check_failure((int)parley_stream_read(stream, bytes, sizeof bytes), PARLEY_NETWORK,
                      "without TLS's close_notify");
    part(thread);
}

static void an_end_instead_of_a_handshake_is_told(void **state)
{
    (void)state;
    pthread_t thread = meet_one_that_leaves(NULL);
    check_failure(parley_stream_secure(stream, OPTIONS("insecure", "on")), PARLEY_NETWORK,
                  "ended in the middle of the handshake");
    part(thread);
}

static void who_says_nothing_is_waited_for_in_time(void **state)
{
    int to = 0, silent = loopback_listen("127.0.0.1", &to, 5);
    (void)state;
    dial_port(to);
    parley_stream_set_timeout(stream, 50);
    check_failure(parley_stream_secure(stream, OPTIONS("insecure", "on")), PARLEY_TIMEOUT, "timed out");
    check_failure(parley_stream_write(stream, "x", 1), PARLEY_TIMEOUT, "timed out");
    parley_stream_hang_up(stream);
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(nobody_is_believed_unless_told_so),
        SERVER_TEST(wrong_options_are_refused_and_harm_nothing),
        SERVER_TEST(bytes_and_both_ends_pass),
        cmocka_unit_test(an_end_that_is_not_said_is_no_end),
        cmocka_unit_test(an_end_instead_of_a_handshake_is_told),
        cmocka_unit_test(who_says_nothing_is_waited_for_in_time),
    };
    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
