#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/server.h"
#include "supervise/reload.h"

enum { READERS = 4, READINGS = 500 };

/* Says what it is, so that one that was freed too early is seen even without a sanitizer. */
struct leaf {
    struct reading reading;
    unsigned number, again;
};

static unsigned made;
static atomic_uint alive;
static bool is_broken;
static const parley_handler nothing = PARLEY_HANDLER(.name = "nothing");

static void free_leaf(struct reading *reading)
{
    struct leaf *leaf = (struct leaf *)reading;
    leaf->number = leaf->again = 0;
    atomic_fetch_sub(&alive, 1);
    free(leaf);
}

static int read_leaf(parley_server *server, struct reloadable *reloadable, struct reading **reading)
{
    (void)server;
    (void)reloadable;
    if (is_broken)
        return PARLEY_USAGE;
    struct leaf *leaf = calloc(1, sizeof *leaf);
    if (!leaf)
        return PARLEY_RESOURCE;
    leaf->number = leaf->again = ++made;
    leaf->reading.free = free_leaf;
    atomic_fetch_add(&alive, 1);
    *reading = &leaf->reading;
    return 0;
}

static parley_server *server;
static struct reloadable leaves = {.what = "the leaves", .read = read_leaf};

static int prepare(void **state)
{
    (void)state;
    made = 0;
    is_broken = false;
    leaves.latest = NULL;
    atomic_store(&leaves.number, 0);
    server = parley_server_new(&nothing);
    reload_add(server, &leaves);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    parley_server_free(server);
    assert_int_equal(atomic_load(&alive), 0);
    return 0;
}

static unsigned latest(struct held *held)
{
    const struct leaf *leaf = (struct leaf *)reload_latest(server, &leaves, held);
    return leaf ? leaf->number : 0;
}

static void the_latest_is_what_was_read_last(void **state)
{
    struct held held = {0};

    (void)state;
    assert_int_equal(latest(&held), 0);
    assert_int_equal(reload_read(server, &leaves), 0);
    assert_int_equal(latest(&held), 1);
    assert_int_equal(reload_read(server, &leaves), 0);
    assert_int_equal(latest(&held), 2);
    reload_let_go(&held);
}

static void a_broken_file_keeps_the_reading_before(void **state)
{
    struct held held = {0};

    (void)state;
    assert_int_equal(reload_read(server, &leaves), 0);
    is_broken = true;
    assert_int_equal(reload_read(server, &leaves), PARLEY_USAGE);
    assert_int_equal(latest(&held), 1);
    assert_int_equal(atomic_load(&alive), 1);
    reload_let_go(&held);
}

/* Two loops hold it; the second to let go frees it. */
static void a_reading_lives_as_long_as_a_loop_holds_it(void **state)
{
    struct held one = {0}, other = {0};

    (void)state;
    reload_read(server, &leaves);
    latest(&one);
    latest(&other);
    reload_read(server, &leaves);
    assert_int_equal(latest(&one), 2);
    assert_int_equal(atomic_load(&alive), 2);
    assert_int_equal(((struct leaf *)other.reading)->again, 1);
    reload_let_go(&other);
    assert_int_equal(atomic_load(&alive), 1);
    reload_let_go(&one);
}

static atomic_bool over;

static void *read_on(void *context)
{
    struct held held = {0};
    unsigned before = 0;

    while (!atomic_load(&over)) {
        const struct leaf *leaf = (struct leaf *)reload_latest(server, &leaves, &held);
        if (leaf->number < before || leaf->number != leaf->again)
            *(bool *)context = true;
        before = leaf->number;
    }
    reload_let_go(&held);
    return NULL;
}

static void readers_never_meet_one_that_was_freed(void **state)
{
    pthread_t threads[READERS];
    bool wrong[READERS] = {0};

    (void)state;
    atomic_store(&over, false);
    reload_read(server, &leaves);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &wrong[i]), 0);
    for (int i = 0; i < READINGS; i++)
        reload_read(server, &leaves);
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(wrong[i]);
    }
}

/* ---- SIGHUP in a server that runs ---- */

static void *hang_up_and_stop(void *context)
{
    const pid_t *pid = context;

    for (unsigned i = 0; i < 100 || atomic_load(&leaves.number) < 2; i++) {
        kill(*pid, SIGHUP);
        usleep(100);
    }
    parley_stop(server);
    return NULL;
}

static void a_hang_up_reads_again(void **state)
{
    static const char *const models[] = {"prethread+epoll", "prefork+poll", "iterative+blocking"};
    pthread_t thread;
    pid_t self = getpid();

    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (i > 0)
            prepare(state);
        reload_read(server, &leaves);
        assert_int_equal(parley_set(server, "signals", "on"), 0);
        assert_int_equal(parley_set(server, "model", models[i]), 0);
        assert_int_equal(parley_listen(server, "127.0.0.1:0"), 0);
        /* A signal before parley_run() would end us, as it would anybody. */
        sigset_t hang_up;
        sigemptyset(&hang_up);
        sigaddset(&hang_up, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &hang_up, NULL);
        assert_int_equal(pthread_create(&thread, NULL, hang_up_and_stop, &self), 0);
        assert_int_equal(parley_run(server), 0);
        pthread_join(thread, NULL);
        assert_true(made >= 2);
        if (i + 1 < sizeof models / sizeof *models)
            finish(state);
    }
}

#define RELOAD_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELOAD_TEST(the_latest_is_what_was_read_last),
        RELOAD_TEST(a_broken_file_keeps_the_reading_before),
        RELOAD_TEST(a_reading_lives_as_long_as_a_loop_holds_it),
        RELOAD_TEST(readers_never_meet_one_that_was_freed),
        RELOAD_TEST(a_hang_up_reads_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
