/* The keys of session tickets: which are in use when, and by whom. The clock is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "tls/inside.h"
#include "two_ends.h"
#include <parley.h>

static struct end server, client;
static struct tls_policy policy;
static struct tls_keep *keep;
static struct tls *tls;
static struct sys real;
static int64_t epoch;

static int64_t now_of_epoch(void)
{
    return (epoch * TICKET_EPOCH + TICKET_EPOCH / 2) * 1000;
}

static int open_with(const char *version)
{
    real = sys;
    sys.now = now_of_epoch;
    epoch = 0; /* a machine that has just started */
    tls_policy_default(&policy);
    set_policy(&policy, "tls", "self-signed");
    set_policy(&policy, "dial-tls", "on");
    set_policy(&policy, "insecure", "on");
    set_policy(&policy, "dial-resume", "on");
    set_policy(&policy, "tls-max", version);
    set_policy(&policy, "tls-min", version);
    keep = tls_keep_new();
    return keep ? tls_open(&tls, &policy, keep) : -1;
}

static int open_1_2(void **state)
{
    (void)state;
    return open_with("1.2");
}

static int open_1_3(void **state)
{
    (void)state;
    return open_with("1.3");
}

static int close_all(void **state)
{
    (void)state;
    tls_close(tls);
    tls_keep_free(keep);
    tls_policy_free(&policy);
    sys = real;
    return 0;
}

/* ---- a connection, and whether it was resumed ---- */

/* A session that does not say its end is not resumed. */
static void part(struct end *end)
{
    tls_say_end(end->session);
    tls_session_free(end->session);
}

static bool meet(void)
{
    ends_meet(&server, &client, tls, ROOM);
    assert_true(server.is_done && client.is_done);
    bool resumed = *tls_fact(server.session, "resumed") != '\0';
    part(&server);
    part(&client);
    return resumed;
}

/* What the client has been given stands in the keep; a test puts others there. Copies, since OpenSSL uses
 * none a second time. */
static SSL_SESSION *ticket(void)
{
    assert_true(keep->session_count > 0);
    return SSL_SESSION_dup(keep->sessions[keep->session_count - 1]);
}

static bool meet_with(SSL_SESSION *session)
{
    while (keep->session_count > 0)
        SSL_SESSION_free(keep->sessions[--keep->session_count]);
    keep->sessions[keep->session_count++] = SSL_SESSION_dup(session);
    return meet();
}

/* ---- tests ---- */

static void a_ticket_is_good_for_its_epoch_and_the_next(void **state)
{
    (void)state;
    assert_false(meet());
    SSL_SESSION *first = ticket();
    assert_true(meet());
    epoch = 1;
    assert_true(meet_with(first));
    epoch = 2;
    assert_false(meet_with(first));
    SSL_SESSION_free(first);
}

static void who_comes_again_is_always_known(void **state)
{
    (void)state;
    assert_false(meet());
    for (; epoch < 6; epoch++) {
        assert_true(meet()); /* its ticket is renewed */
        assert_true(meet());
        assert_true(meet());
    }
}

static void no_ticket_outlives_a_pause(void **state)
{
    (void)state;
    assert_false(meet());
    epoch = 2;
    assert_false(meet());
    assert_true(meet());
    epoch = 1000;
    assert_false(meet());
}

static void a_new_epoch_has_a_new_key(void **state)
{
    static const struct ticket_key nothing;
    struct ticket_key first;
    (void)state;
    meet();
    first = keep->tickets->now;
    assert_memory_not_equal(&first, &nothing, sizeof first);
    assert_memory_not_equal(&keep->tickets->before, &nothing, sizeof first); /* in the first epoch too */
    epoch = 1;
    meet();
    assert_memory_not_equal(&keep->tickets->now, &first, sizeof first);
    assert_memory_equal(&keep->tickets->before, &first, sizeof first);
    epoch = 2;
    meet();
    assert_memory_not_equal(&keep->tickets->before, &first, sizeof first);
}

static void a_reload_forgets_no_ticket(void **state)
{
    (void)state;
    meet();
    SSL_SESSION *first = ticket();
    tls_close(tls);
    assert_int_equal(tls_open(&tls, &policy, keep), 0);
    assert_false(meet()); /* the client began anew */
    assert_true(meet_with(first));
    SSL_SESSION_free(first);
}

static void write_ticket(int fd)
{
    unsigned char *der = NULL;
    int size = i2d_SSL_SESSION(ticket(), &der);
    _exit(size > 0 && write(fd, der, (size_t)size) == size ? 0 : 1);
}

static SSL_SESSION *read_ticket(int fd)
{
    unsigned char der[16384];
    const unsigned char *at = der;
    ssize_t size = read(fd, der, sizeof der);
    assert_true(size > 0);
    return d2i_SSL_SESSION(NULL, &at, size);
}

/* Whichever of them enters the epoch first. */
static void processes_share_what_is_made_later(void **state)
{
    int pipes[2], status;
    (void)state;
    meet();
    SSL_SESSION *first = ticket();
    epoch = 1;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        meet();
        write_ticket(pipes[1]);
    }
    SSL_SESSION *of_child = read_ticket(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(meet_with(of_child));
    assert_true(meet_with(first));
    SSL_SESSION_free(of_child);
    SSL_SESSION_free(first);
    close(pipes[0]);
    close(pipes[1]);
}

static void who_is_killed_with_the_lock_keeps_nobody_waiting(void **state)
{
    (void)state;
    meet();
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(&keep->tickets->lock);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    assert_false(meet()); /* what it was doing may be half done */
    assert_true(meet());
}

#define IN_BOTH(test)                                                                                        \
    cmocka_unit_test_setup_teardown(test, open_1_2, close_all),                                              \
        cmocka_unit_test_setup_teardown(test, open_1_3, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BOTH(a_ticket_is_good_for_its_epoch_and_the_next),
        IN_BOTH(who_comes_again_is_always_known),
        IN_BOTH(no_ticket_outlives_a_pause),
        IN_BOTH(a_new_epoch_has_a_new_key),
        IN_BOTH(a_reload_forgets_no_ticket),
        IN_BOTH(processes_share_what_is_made_later),
        IN_BOTH(who_is_killed_with_the_lock_keeps_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
