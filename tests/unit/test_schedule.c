/* The open loop's schedule, without connections: whose turn it is, when, and what is late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/generator.h"

enum { START = 1000000000, MOST_THREADS = 4 };

/* A run of `threads` generators that has started at START, all of whose clients take part. */
struct fixture {
    struct load_plan plan;
    struct run run;
    struct generator generators[MOST_THREADS];
};

static void open_schedule(struct fixture *fixture, unsigned connections, unsigned threads, double rate)
{
    *fixture = (struct fixture){
        .plan = {
            .connections = connections, .threads = threads, .depth = 1, .rate = rate, .duration = 10000}};
    fixture->run = (struct run){.plan = &fixture->plan, .threads = threads, .slot = NS_PER_SECOND / rate};
    atomic_store(&fixture->run.start, START);
    for (unsigned i = 0; i < threads; i++) {
        struct generator *generator = &fixture->generators[i];
        assert_int_equal(generator_open(generator, &fixture->run, i), 0);
        generator->opened = generator->client_count;
        generator->window = run_window(&fixture->run);
        generator->end = run_end(&fixture->run);
    }
}

static void close_schedule(struct fixture *fixture)
{
    for (unsigned i = 0; i < fixture->plan.threads; i++)
        generator_close(&fixture->generators[i]);
}

/* Until all that is due `now` has been handed out: ns until the next slot. */
static int64_t advance(struct generator *generator, int64_t now)
{
    int64_t wait;
    while ((wait = schedule_advance(generator, now)) == 0)
        continue;
    return wait;
}

/* ---- slots ---- */

static void slots_are_evenly_spaced(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 1, 1, 1000);
    struct generator *generator = fixture.generators;
    assert_int_equal(schedule_advance(generator, START - 5), 5);
    assert_int_equal(advance(generator, START), NS_PER_MS);
    assert_int_equal(generator->owed, 1);
    assert_int_equal(advance(generator, START + NS_PER_MS - 1), 1);
    assert_int_equal(generator->owed, 1);
    assert_int_equal(advance(generator, START + 5 * NS_PER_MS / 2), NS_PER_MS / 2);
    assert_int_equal(generator->owed, 3);
    assert_int_equal(generator->clients[0].due, 3);
    close_schedule(&fixture);
}

/* 3 does not divide a second: the times are rounded each by itself, and do not drift. */
static void rounding_does_not_add_up(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 1, 1, 3);
    const struct client *client = fixture.generators[0].clients;
    for (uint64_t second = 0; second < 100000; second += 777) {
        int64_t error = schedule_time(client, 3 * second) - (START + (int64_t)second * NS_PER_SECOND);
        assert_true(error >= -20 && error <= 0);
    }
    close_schedule(&fixture);
}

static void a_schedule_of_a_nanosecond_is_kept_apart(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 2, 1, 1e9);
    assert_int_equal(schedule_time(&fixture.generators[0].clients[0], 5), START + 10);
    assert_int_equal(schedule_time(&fixture.generators[0].clients[1], 5), START + 11);
    close_schedule(&fixture);
}

/* ---- whose turn it is ---- */

static void clients_take_turns(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 5, 1, 1000);
    struct generator *generator = fixture.generators;
    advance(generator, START + 11 * NS_PER_MS);
    static const uint64_t due[] = {3, 3, 2, 2, 2};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(generator->clients[i].due, due[i]);
        assert_int_equal(schedule_time(&generator->clients[i], 0), START + i * NS_PER_MS);
        assert_int_equal(schedule_time(&generator->clients[i], 2), START + (10 + i) * NS_PER_MS);
    }
    close_schedule(&fixture);
}

/* Every slot is somebody's, and nobody's twice, however the clients are shared out. */
static void threads_share_the_schedule(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
        struct fixture fixture;
        bool taken[1000] = {false};
        uint64_t owed = 0;
        open_schedule(&fixture, 7, threads, 1000);
        for (unsigned i = 0; i < threads; i++) {
            struct generator *generator = &fixture.generators[i];
            advance(generator, START + 999 * NS_PER_MS);
            owed += generator->owed;
            for (unsigned j = 0; j < generator->client_count; j++)
                for (uint64_t number = 0; number < generator->clients[j].due; number++) {
                    int64_t slot = (schedule_time(&generator->clients[j], number) - START) / NS_PER_MS;
                    assert_in_range(slot, 0, 999);
                    assert_false(taken[slot]);
                    taken[slot] = true;
                }
        }
        assert_int_equal(owed, 1000);
        close_schedule(&fixture);
    }
}

/* ---- the end, and the beginning ---- */

static void there_are_no_slots_beyond_the_end(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 4, 1, 100);
    struct generator *generator = fixture.generators;
    assert_int_equal(advance(generator, START + INT64_C(3600) * NS_PER_SECOND), -1);
    assert_int_equal(generator->owed, 1000);
    assert_int_equal(generator->tally.intended, 1000);
    close_schedule(&fixture);
}

static void the_warm_up_is_asked_for_and_not_counted(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 4, 1, 100);
    struct generator *generator = fixture.generators;
    fixture.plan.warmup = 5000;
    generator->window = run_window(&fixture.run);
    generator->end = run_end(&fixture.run);
    assert_int_equal(advance(generator, generator->end), -1);
    assert_int_equal(generator->owed, 1500);
    assert_int_equal(generator->tally.intended, 1000);
    assert_int_equal(generator->tally.lag.total, 1000);
    close_schedule(&fixture);
}

/* A client that has not begun misses its slots: they are nobody's, and its later ones are at their own time.
 */
static void a_ramp_skips_those_who_have_not_begun(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 2, 1, 1000);
    struct generator *generator = fixture.generators;
    fixture.plan.ramp = 1000;
    generator->window = run_window(&fixture.run);
    generator->opened = 1;
    advance(generator, START + 9 * NS_PER_MS);
    assert_int_equal(generator->clients[0].due, 5);
    assert_int_equal(generator->clients[1].due, 0);
    assert_int_equal(generator->owed, 5);
    assert_int_equal(generator->tally.intended, 0);
    generator->opened = 2;
    advance(generator, START + 13 * NS_PER_MS);
    assert_int_equal(generator->clients[1].due, 2);
    assert_int_equal(schedule_time(&generator->clients[1], 0), START + 11 * NS_PER_MS);
    assert_int_equal(schedule_time(&generator->clients[1], 1), START + 13 * NS_PER_MS);
    assert_int_equal(schedule_time(&generator->clients[0], 0), START);
    close_schedule(&fixture);
}

/* ---- lag ---- */

static void lateness_is_written_down(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 10, 1, 1000);
    const struct histogram *lag = &fixture.generators[0].tally.lag;
    advance(fixture.generators, START);
    assert_int_equal(lag->most, 0);
    advance(fixture.generators, START + 1000 * NS_PER_MS + 3); /* nothing was looked at for a second */
    assert_int_equal(lag->total, 1001);
    assert_int_equal(lag->most, 999 * NS_PER_MS + 3);
    assert_true(histogram_at(lag, 50) > 490 * NS_PER_MS && histogram_at(lag, 50) < 510 * NS_PER_MS);
    close_schedule(&fixture);
}

/* One that is far behind gets back to what has arrived. */
static void not_everything_is_handed_out_at_once(void **state)
{
    struct fixture fixture;
    (void)state;
    open_schedule(&fixture, 10, 1, 1e6);
    struct generator *generator = fixture.generators;
    assert_int_equal(schedule_advance(generator, START + NS_PER_SECOND), 0);
    assert_in_range(generator->owed, 1, 100000);
    close_schedule(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_evenly_spaced),
        cmocka_unit_test(rounding_does_not_add_up),
        cmocka_unit_test(a_schedule_of_a_nanosecond_is_kept_apart),
        cmocka_unit_test(clients_take_turns),
        cmocka_unit_test(threads_share_the_schedule),
        cmocka_unit_test(there_are_no_slots_beyond_the_end),
        cmocka_unit_test(the_warm_up_is_asked_for_and_not_counted),
        cmocka_unit_test(a_ramp_skips_those_who_have_not_begun),
        cmocka_unit_test(lateness_is_written_down),
        cmocka_unit_test(not_everything_is_handed_out_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
