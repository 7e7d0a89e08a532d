/* Who gives way to whom, for how long, and when nobody is waited for. */
#include "base/sys.h"
#include "engine/accepting.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "limit/crowd.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "poller/poller.h"

enum { PATIENCE_ASLEEP = 20, PATIENCE_BUSY = 10, PASSED_OVER = 50 /* ms */ };

/* Worker 0 of three, as it is in itself; the others are what they have told. */
struct worker_0 {
    parley_server *server;
    struct worker worker;
    struct loop loop;
    struct listener listener;
};

static struct share *other(const struct worker_0 *self, unsigned index)
{
    return &self->server->shared->shares[index];
}

static void has(const struct worker_0 *self, unsigned index, unsigned holds)
{
    atomic_store(&other(self, index)->holds, holds + 1);
}

static int set_up(void **state)
{
    static const parley_handler handler = PARLEY_HANDLER(.name = "test");
    struct worker_0 *self = calloc(1, sizeof *self);
    if (!self)
        return -1;
    self->server = parley_server_new(&handler);
    self->server->worker_total = 3;
    self->worker = (struct worker){.server = self->server, .fd = -1};
    self->loop =
        (struct loop){.server = self->server, .worker = &self->worker, .poller = &poller_epoll, .now = 1000};
    self->listener = (struct listener){.shared = true, .again.kind = TIMER_LISTENER};
    assert_int_equal(timers_reserve(&self->loop.timers, 1), 0);
    assert_int_equal(sharing_open(&self->loop), 0);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct worker_0 *self = *state;
    sharing_close(&self->loop);
    timers_close(&self->loop.timers);
    parley_server_free(self->server);
    free(self);
    return 0;
}

/* Takes one more; whether it gives way then. */
static bool takes(struct worker_0 *self)
{
    self->loop.count++;
    sharing_took(&self->loop, &self->listener);
    return self->listener.way != WAY_NONE;
}

static void fired(struct timer *timer)
{
    (void)timer;
}

/* So much time passes; whether it still gives way. */
static bool waits(struct worker_0 *self, int64_t time)
{
    self->loop.now += time;
    timers_fire(&self->loop.timers, self->loop.now, fired);
    return self->listener.way != WAY_NONE && sharing_gives_way(&self->loop, &self->listener);
}

static void test_two_ahead_is_enough_where_there_are_few(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 0);
    has(self, 2, 5);
    assert_false(takes(self));
    assert_true(takes(self));
    has(self, 1, 1);
    assert_false(waits(self, 0));
}

static void test_a_quarter_is_tolerated_where_there_are_many(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 80);
    has(self, 2, 80);
    self->loop.count = 100;
    for (int i = 0; i < 8; i++)
        assert_int_equal(takes(self), i == 7); /* looked at once in eight */
}

static void test_who_is_not_there_is_not_waited_for(void **state)
{
    struct worker_0 *self = *state;
    for (int i = 0; i < 7; i++)
        assert_false(takes(self));
    has(self, 1, 7);
    assert_false(takes(self));
}

static void test_who_does_not_come_is_passed_over_until_it_does(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 0);
    atomic_store(&other(self, 1)->busy_since, 900);
    takes(self);
    assert_true(takes(self));
    assert_true(waits(self, PATIENCE_BUSY - 1));
    assert_false(waits(self, 1));
    assert_false(takes(self));
    atomic_fetch_add(&other(self, 1)->taken, 1);
    assert_true(takes(self));
    assert_false(waits(self, PATIENCE_BUSY));
    self->loop.now += PASSED_OVER;
    assert_true(takes(self));
}

static void test_each_that_does_not_come_is_waited_for_once(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 0);
    has(self, 2, 0);
    takes(self);
    assert_true(takes(self));
    assert_true(waits(self, PATIENCE_ASLEEP));
    assert_false(waits(self, PATIENCE_ASLEEP));
    assert_false(takes(self));
}

static void test_who_comes_is_waited_for_as_long_as_it_is_behind(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 0);
    has(self, 2, 9);
    self->loop.count = 9;
    assert_true(takes(self));
    for (unsigned i = 1; i < 8; i++) {
        atomic_fetch_add(&other(self, 1)->taken, 1);
        has(self, 1, i);
        assert_true(waits(self, PATIENCE_ASLEEP));
    }
    has(self, 1, 9);
    assert_false(waits(self, 0));
}

/* One far behind in what it holds may be ahead in what it took: if both gave way, clients would wait. */
static void test_who_holds_far_less_never_gives_way(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 3);
    for (int i = 1; i <= 32; i++) {
        self->loop.count = 0;
        assert_false(takes(self));
    }
    has(self, 1, 2);
    for (int i = 1; i <= 8; i++) {
        self->loop.count = 0;
        assert_int_equal(takes(self), i == 8);
    }
}

/* Nobody wakes it when the other has overtaken it. */
static void test_who_gives_way_looks_each_millisecond(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 0);
    takes(self);
    assert_true(takes(self));
    assert_true(waits(self, 1));
    assert_int_equal(timer_due(&self->loop.timers, &self->listener.again), self->loop.now + 1);
    has(self, 1, 3);
    assert_false(waits(self, 1));
}

/* Clients that come and go: nobody holds more than one. */
static void test_what_was_ever_taken_counts_too(void **state)
{
    struct worker_0 *self = *state;
    has(self, 1, 0);
    has(self, 2, 0);
    atomic_store(&other(self, 2)->taken, 16);
    for (int i = 1; i <= 16; i++) {
        self->loop.count = 0;
        assert_int_equal(takes(self), i == 16);
    }
    assert_int_equal(self->listener.to, 1);
    atomic_store(&other(self, 1)->taken, 13);
    assert_true(waits(self, 0));
    atomic_store(&other(self, 1)->taken, 16);
    assert_false(waits(self, 0));
}

static void test_who_comes_and_who_leaves_is_told(void **state)
{
    struct worker_0 *self = *state;
    parley_conn conn = {.loop = &self->loop};
    crowd_joined(&conn);
    crowd_joined(&conn);
    assert_int_equal(atomic_load(&other(self, 0)->holds), 3);
    crowd_left(&conn);
    assert_int_equal(atomic_load(&other(self, 0)->holds), 2);
}

static void test_a_worker_that_has_closed_tells_so(void **state)
{
    struct worker_0 *self = *state;
    self->loop.count = 3;
    sharing_tell(&self->loop);
    assert_int_equal(atomic_load(&other(self, 0)->holds), 4);
    sharing_close(&self->loop);
    assert_int_equal(atomic_load(&other(self, 0)->holds), 0);
}

/* With "reuseport" each worker has a TCP socket of its own; a unix socket is shared all the same. */
static void test_one_shared_listener_of_several_is_enough(void **state)
{
    struct worker_0 *self = *state;
    parley_server *server = self->server;
    char name[32];
    snprintf(name, sizeof name, "@parley-test-%d", (int)getpid());
    const char *const addresses[] = {"127.0.0.1:0", name};
    sharing_close(&self->loop);
    self->loop.holds_listeners = true;
    assert_int_equal(parley_set(server, "reuseport", "on"), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(parley_listen(server, addresses[i]), 0);
    assert_int_equal(server_open_copies(server), 0);
    assert_int_equal(accepting_open(&self->loop), 0);
    assert_false(self->loop.listeners[0].shared);
    assert_true(self->loop.listeners[1].shared);
    assert_int_equal(atomic_load(&other(self, 0)->holds), 1);
    sys.close(self->loop.reserve);
    accepting_close(&self->loop);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_two_ahead_is_enough_where_there_are_few),
        TEST(test_a_quarter_is_tolerated_where_there_are_many),
        TEST(test_who_is_not_there_is_not_waited_for),
        TEST(test_who_does_not_come_is_passed_over_until_it_does),
        TEST(test_each_that_does_not_come_is_waited_for_once),
        TEST(test_who_comes_is_waited_for_as_long_as_it_is_behind),
        TEST(test_who_holds_far_less_never_gives_way),
        TEST(test_who_gives_way_looks_each_millisecond),
        TEST(test_what_was_ever_taken_counts_too),
        TEST(test_who_comes_and_who_leaves_is_told),
        TEST(test_a_worker_that_has_closed_tells_so),
        TEST(test_one_shared_listener_of_several_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
