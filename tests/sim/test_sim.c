/* Worlds of many seeds. As a test: `test_sim`. By hand: `test_sim SEED`, which replays one and tells it all;
 * `test_sim --seeds N --from S [--poller NAME]`. */
#include "sim.h"
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEEDS_AS_TEST = 2000, LIMIT_OF_A_SEED = 60 /* s of processor time: others may be busy, too */ };

/* ---- a crash tells its seed ---- */

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void tell_death(void)
{
    sim_tell_trace();
    fprintf(stderr, "seed %llu: died\n", (unsigned long long)world.seed);
}

static void died(int number)
{
    tell_death();
    signal(number, SIG_DFL); /* NOLINT: the default is all that is wanted */
    raise(number);
}

static void tell_deaths(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGVTALRM};
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(tell_death);
    for (size_t i = __sanitizer_set_death_callback ? 4 : 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = died, .sa_flags = SA_RESETHAND};
        sigaction(numbers[i], &action, NULL);
    }
}

static void limit_time(time_t seconds)
{
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){.it_value.tv_sec = seconds}, NULL);
}

static bool seed_holds(uint64_t seed)
{
    limit_time(LIMIT_OF_A_SEED);
    bool held = sim_run(seed);
    limit_time(0);
    return held;
}

static unsigned long failures_of(uint64_t from, uint64_t count)
{
    unsigned long failures = 0;
    for (uint64_t seed = from; seed < from + count; seed++)
        failures += !seed_holds(seed);
    return failures;
}

/* ---- as a test ---- */

static void many_worlds(const char *poller)
{
    sim_only = poller;
    assert_int_equal(failures_of(1, SEEDS_AS_TEST / 4), 0);
    sim_only = NULL;
}

static void completions(void **state)
{
    (void)state;
    many_worlds("sim");
}

static void edges(void **state)
{
    (void)state;
    many_worlds("epoll");
}

static void levels_polled(void **state)
{
    (void)state;
    many_worlds("poll");
}

static void levels_selected(void **state)
{
    (void)state;
    many_worlds("select");
}

/* ---- worlds that found something once: they mean it only as long as worlds are made in the same way ---- */

static void world_holds(const char *poller, uint64_t seed)
{
    sim_only = poller;
    assert_true(seed_holds(seed));
    sim_only = NULL;
}

/* The answer to the first of several messages emptied the queue before settle could see it full. */
static void kept_messages_follow_an_answer_sent_at_once(void **state)
{
    (void)state;
    world_holds("epoll", 10);
}

/* A kept message, delivered by settle, whose handler aborts. */
static void an_aborted_connection_is_not_drained(void **state)
{
    (void)state;
    world_holds("sim", 871);
}

/* ENOBUFS for long, on a socket that has room. */
static void a_starved_connection_does_not_make_the_loop_spin(void **state)
{
    (void)state;
    world_holds("select", 70);
}

static void a_starved_connection_keeps_its_deadlines(void **state)
{
    (void)state;
    world_holds("epoll", 18);
}

/* Five minutes in which nobody looks: bytes that wait to be discarded do not hold up what is overdue as well.
 */
static void a_finishing_connection_is_cut_behind_a_freeze(void **state)
{
    (void)state;
    world_holds("poll", 100096);
}

static int run_as_test(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_messages_follow_an_answer_sent_at_once),
        cmocka_unit_test(an_aborted_connection_is_not_drained),
        cmocka_unit_test(a_starved_connection_does_not_make_the_loop_spin),
        cmocka_unit_test(a_starved_connection_keeps_its_deadlines),
        cmocka_unit_test(a_finishing_connection_is_cut_behind_a_freeze),
        cmocka_unit_test(completions),
        cmocka_unit_test(edges),
        cmocka_unit_test(levels_polled),
        cmocka_unit_test(levels_selected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ---- by hand ---- */

static int run_by_hand(int count, char **words)
{
    uint64_t from = 1, seeds = 0;
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "--seeds") == 0 && i + 1 < count)
            seeds = strtoull(words[++i], NULL, 10);
        else if (strcmp(words[i], "--from") == 0 && i + 1 < count)
            from = strtoull(words[++i], NULL, 10);
        else if (strcmp(words[i], "--poller") == 0 && i + 1 < count)
            sim_only = words[++i];
        else
            from = strtoull(words[i], NULL, 10);
    }
    sim_verbose = seeds == 0;
    unsigned long failures = failures_of(from, seeds ? seeds : 1);
    printf("%llu seeds from %llu on: %lu failed\n", (unsigned long long)(seeds ? seeds : 1),
           (unsigned long long)from, failures);
    return failures > 0;
}

int main(int count, char **words)
{
    tell_deaths();
    return count > 1 ? run_by_hand(count, words) : run_as_test();
}
