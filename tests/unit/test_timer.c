#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sys.h"
#include "engine/timer.h"

enum { TIMERS = 200, ROUNDS = 20000 };

static struct timers timers;
static struct timer items[TIMERS];
/* The naive reference: when each is due, or -1. */
static int64_t expected[TIMERS];
static int fired_count[TIMERS];
static int64_t now;
static int64_t last_due;
static void (*on_fire)(size_t index);

static int prepare(void **state)
{
    (void)state;
    now = 1000;
    on_fire = NULL;
    for (size_t i = 0; i < TIMERS; i++) {
        items[i] = (struct timer){.kind = TIMER_ALARM};
        expected[i] = -1;
        fired_count[i] = 0;
    }
    return timers_reserve(&timers, TIMERS);
}

static int finish(void **state)
{
    (void)state;
    timers_release(&timers, TIMERS);
    assert_int_equal(timers.reserved, 0);
    timers_close(&timers);
    return 0;
}

static void arm(size_t index, int64_t due)
{
    expected[index] = due;
    timer_arm(&timers, &items[index], due);
}

static void cancel(size_t index)
{
    expected[index] = -1;
    timer_cancel(&timers, &items[index]);
}

static void fired(struct timer *timer)
{
    size_t index = (size_t)(timer - items);

    assert_true(expected[index] >= 0 && expected[index] <= now);
    assert_int_equal(timer->place, 0);
    assert_true(expected[index] >= last_due);
    last_due = expected[index];
    expected[index] = -1;
    fired_count[index]++;
    if (on_fire != NULL)
        on_fire(index);
}

static void fire(void)
{
    last_due = 0;
    timers_fire(&timers, now, fired);
}

static int64_t expected_wait(void)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < TIMERS; i++)
        if (expected[i] >= 0 && expected[i] < least)
            least = expected[i];
    return least == INT64_MAX ? -1 : least > now ? least - now : 0;
}

static void check(void)
{
    assert_int_equal(timers_wait(&timers, now), expected_wait());
    for (size_t i = 0; i < TIMERS; i++)
        assert_int_equal(timer_due(&timers, &items[i]), expected[i] >= 0 ? expected[i] : INT64_MAX);
}

static void does_as_the_naive_list_does(void **state)
{
    (void)state;
    srandom(21);
    for (int round = 0; round < ROUNDS; round++) {
        size_t index = (size_t)random() % TIMERS;
        switch (random() % 4) {
        case 0:
        case 1: arm(index, now + random() % 500); break;
        case 2: cancel(index); break;
        default:
            now += random() % 30;
            fire();
            for (size_t i = 0; i < TIMERS; i++)
                assert_true(expected[i] < 0 || expected[i] > now);
        }
        check();
    }
}

static void none_is_not_soon(void **state)
{
    (void)state;
    assert_int_equal(timers_wait(&timers, now), -1);
    fire();
    cancel(3);
    assert_int_equal(timers_wait(&timers, now), -1);
}

static void no_delay_is_now(void **state)
{
    (void)state;
    arm(0, now);
    assert_int_equal(timers_wait(&timers, now), 0);
    fire();
    assert_int_equal(fired_count[0], 1);
    check();
}

/* FAULTS D13: 2^31 ms and more are not cut to an int; nor is the end of the clock. */
static void far_times_stay_far(void **state)
{
    (void)state;
    arm(0, now + (INT64_C(1) << 31));
    arm(1, now + (INT64_C(1) << 33));
    arm(2, INT64_MAX);
    assert_int_equal(timers_wait(&timers, now), INT64_C(1) << 31);
    now += (INT64_C(1) << 31) - 1;
    fire();
    assert_int_equal(fired_count[0], 0);
    now++;
    fire();
    assert_int_equal(fired_count[0], 1);
    assert_int_equal(fired_count[1] + fired_count[2], 0);
    check();
}

static void arm_itself(size_t index)
{
    timer_arm(&timers, &items[index], now);
    expected[index] = now + 1; /* put off until the clock has moved */
}

/* A timer that arms itself without delay comes once per turn: it cannot hold the loop. */
static void armed_in_its_own_callback(void **state)
{
    (void)state;
    on_fire = arm_itself;
    arm(0, now);
    for (int turn = 1; turn <= 5; turn++) {
        fire();
        assert_int_equal(fired_count[0], turn);
        now++;
    }
}

/* Two that arm each other are no worse. */
static void arm_the_other(size_t index)
{
    arm_itself(1 - index);
}

static void armed_in_each_others_callback(void **state)
{
    (void)state;
    on_fire = arm_the_other;
    arm(0, now);
    for (int turn = 1; turn <= 6; turn++) {
        fire();
        assert_int_equal(fired_count[0] + fired_count[1], turn);
        now++;
    }
}

/* Its memory is somebody else's from then on. */
static void reuse(size_t index)
{
    items[index].place = 1;
}

static void freed_in_its_own_callback(void **state)
{
    (void)state;
    on_fire = reuse;
    arm(0, now);
    arm(1, now);
    fire();
    assert_int_equal(fired_count[0], 1);
    assert_int_equal(fired_count[1], 1);
    assert_int_equal(timers_wait(&timers, now + 1), -1);
}

static void cancel_others(size_t index)
{
    for (size_t i = 0; i < TIMERS; i++)
        if (i != index)
            cancel(i);
    cancel(index);
}

static void cancelled_in_a_callback(void **state)
{
    (void)state;
    on_fire = cancel_others;
    for (size_t i = 0; i < TIMERS; i++)
        arm(i, now + 5);
    now += 10;
    fire();
    int sum = 0;
    for (size_t i = 0; i < TIMERS; i++)
        sum += fired_count[i];
    assert_int_equal(sum, 1);
    check();
}

/* FAULTS D11: after a freeze each fires once, the oldest first, none for each time it would have. */
static void no_storm_after_a_freeze(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIMERS; i++)
        arm(i, now + (int64_t)(i * 37 % TIMERS));
    now += 300000;
    fire();
    for (size_t i = 0; i < TIMERS; i++)
        assert_int_equal(fired_count[i], 1);
    assert_int_equal(timers_wait(&timers, now), -1);
}

static void *refuse_malloc(size_t size)
{
    (void)size;
    errno = ENOMEM;
    return NULL;
}

/* Room is reserved beforehand, so that arming cannot fail. */
static void reserving_may_fail(void **state)
{
    struct timers other = {0};

    (void)state;
    void *(*real)(size_t) = sys.malloc;
    assert_int_equal(timers_reserve(&other, 2), 0);
    sys.malloc = refuse_malloc;
    int refused = timers_reserve(&other, 1000);
    sys.malloc = real;
    assert_int_equal(refused, -1);
    assert_int_equal(other.reserved, 2);
    timer_arm(&other, &items[0], 7);
    timer_arm(&other, &items[1], 5);
    assert_int_equal(timers_wait(&other, 0), 5);
    timers_close(&other);
    items[0].place = items[1].place = 0;
}

#define TIMER_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIMER_TEST(does_as_the_naive_list_does),
        TIMER_TEST(none_is_not_soon),
        TIMER_TEST(no_delay_is_now),
        TIMER_TEST(far_times_stay_far),
        TIMER_TEST(armed_in_its_own_callback),
        TIMER_TEST(armed_in_each_others_callback),
        TIMER_TEST(freed_in_its_own_callback),
        TIMER_TEST(cancelled_in_a_callback),
        TIMER_TEST(no_storm_after_a_freeze),
        TIMER_TEST(reserving_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
