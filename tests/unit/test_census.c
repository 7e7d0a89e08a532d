/* The census: limits by address and network, bounded memory, and what killed processes held. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "limit/census.h"
#include "loopback.h"

enum { ME = 0, OTHER = 1, FLOOD = 1000000, THREADS = 4, ROUNDS = 20000 };

static struct census *census;

static int prepare(void **state)
{
    (void)state;
    census = census_new();
    return census == NULL;
}

static int finish(void **state)
{
    (void)state;
    census_free(census);
    return 0;
}

static struct network client_of(const char *text)
{
    struct network network;
    assert_int_equal(network_parse(&network, text), 0);
    return network;
}

static struct network numbered(uint32_t number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(number)}};
    return network_of((struct sockaddr *)&address);
}

static int enter(const char *text, unsigned per_address, unsigned per_network, uint32_t *ticket)
{
    struct network client = client_of(text);
    struct census_limits limits = {per_address, per_network, 0, 0};
    int asked = census_ask(census, &limits, &client);
    int status = census_enter(census, &limits, &client, ME, ticket);
    assert_int_equal(asked, status);
    return status;
}

static void an_address_has_its_limit_and_others_have_theirs(void **state)
{
    uint32_t tickets[3], other;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter("192.0.2.1", 3, 0, &tickets[i]), 0);
    check_failure(enter("192.0.2.1", 3, 0, &other), PARLEY_NETWORK, "at most 3 of 192.0.2.1 (per-address)");
    assert_int_equal(other, NO_TICKET);
    assert_int_equal(enter("192.0.2.2", 3, 0, &other), 0);
    census_leave(census, tickets[1]);
    assert_int_equal(enter("192.0.2.1", 3, 0, &tickets[1]), 0);
    assert_int_equal(enter("192.0.2.1", 3, 0, &other), PARLEY_NETWORK);
}

static void of_ipv6_each_64_is_one(void **state)
{
    uint32_t ticket;

    (void)state;
    assert_int_equal(enter("2001:db8::1", 1, 0, &ticket), 0);
    check_failure(enter("2001:db8::ffff:2", 1, 0, &ticket), PARLEY_NETWORK,
                  "at most 1 of 2001:db8::/64 (per-address)");
    assert_int_equal(enter("2001:db8:0:1::1", 1, 0, &ticket), 0);
}

static void a_network_has_its_limit(void **state)
{
    uint32_t ticket;

    (void)state;
    assert_int_equal(enter("192.0.2.1", 0, 2, &ticket), 0);
    assert_int_equal(enter("192.0.2.200", 0, 2, &ticket), 0);
    check_failure(enter("192.0.2.3", 0, 2, &ticket), PARLEY_NETWORK,
                  "at most 2 of 192.0.2.0/24 (per-network)");
    assert_int_equal(enter("192.0.3.3", 0, 2, &ticket), 0);
    assert_int_equal(enter("2001:db8:1:2::1", 0, 1, &ticket), 0);
    check_failure(enter("2001:db8:1:ff::1", 0, 1, &ticket), PARLEY_NETWORK, "of 2001:db8:1::/48");
}

static void both_limits_hold_together(void **state)
{
    uint32_t tickets[4];

    (void)state;
    assert_int_equal(enter("192.0.2.1", 2, 3, &tickets[0]), 0);
    assert_int_equal(enter("192.0.2.1", 2, 3, &tickets[1]), 0);
    assert_int_equal(enter("192.0.2.1", 2, 3, &tickets[3]), PARLEY_NETWORK);
    assert_int_equal(enter("192.0.2.2", 2, 3, &tickets[2]), 0);
    assert_int_equal(enter("192.0.2.3", 2, 3, &tickets[3]), PARLEY_NETWORK);
    census_leave(census, tickets[0]);
    assert_int_equal(enter("192.0.2.3", 2, 3, &tickets[3]), 0);
}

/* As many networks as there are places are counted apart or together, but counted. */
static void both_limits_agree_in_every_set(void **state)
{
    static uint32_t tickets[20000];
    struct census_limits limits = {1, 1, 0, 0};
    size_t count = 0;

    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        struct network client = numbered(i << 8);
        if (census_enter(census, &limits, &client, ME, &tickets[count]) == 0)
            count++;
        assert_int_equal(census_enter(census, &limits, &client, ME, &tickets[count]), PARLEY_NETWORK);
    }
    assert_true(count > 19000);
    for (size_t i = 0; i < count; i++)
        census_leave(census, tickets[i]);
    struct network client = numbered(0);
    assert_int_equal(census_enter(census, &limits, &client, ME, &tickets[0]), 0);
}

static void unix_peers_are_not_counted(void **state)
{
    uint32_t ticket = 1;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter("unix", 1, 1, &ticket), 0);
        assert_int_equal(ticket, NO_TICKET);
        census_leave(census, ticket);
    }
}

/* ---- a flood of addresses ---- */

/* KiB of shared memory that are there: the census alone. A sanitizer's own are not shared. */
static long touched(void)
{
    char line[128];
    long size = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "RssShmem:", 9) == 0)
            size = strtol(line + 9, NULL, 10);
    fclose(file);
    return size;
}

static void a_million_addresses_that_come_and_go_leave_nothing(void **state)
{
    struct census_limits limits = {1, 0, 0, 0};
    uint32_t ticket;

    (void)state;
    for (uint32_t i = 0; i < FLOOD; i++) {
        struct network client = numbered(i * 2654435761u);
        assert_int_equal(census_enter(census, &limits, &client, ME, &ticket), 0);
        assert_int_equal(ticket, 1);
        census_leave(census, ticket);
    }
    assert_in_range(touched(), 1, 1100); /* the places, 1 MiB, and one page of tickets */
}

static void a_million_addresses_at_once_are_counted_coarser(void **state)
{
    struct census_limits limits = {4, 0, 0, 0};
    static uint32_t tickets[FLOOD];
    uint32_t count = 0, ticket;

    (void)state;
    for (uint32_t i = 0; i < FLOOD; i++) {
        struct network client = numbered(i * 2654435761u);
        if (census_enter(census, &limits, &client, ME, &tickets[count]) == 0)
            count++;
    }
    assert_in_range(touched(), 1, 18 << 10);
    assert_in_range(count, 60000, 4 * 65536 + 4); /* every place is used, none of them more than four times */
    census_bury(census, ME);
    struct network client = numbered(1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(census_enter(census, &limits, &client, ME, &ticket), 0);
    assert_int_equal(census_enter(census, &limits, &client, ME, &ticket), PARLEY_NETWORK);
}

/* ---- together ---- */

static void *come_and_go(void *context)
{
    struct network client = client_of("192.0.2.1");
    struct census_limits limits = {2, 2, 0, 0};
    unsigned let_in = 0;
    uint32_t ticket;

    for (int i = 0; i < ROUNDS; i++)
        if (census_enter(census, &limits, &client, ME, &ticket) == 0) {
            let_in++;
            census_leave(census, ticket);
        }
    *(unsigned *)context = let_in;
    return NULL;
}

static void threads_count_together(void **state)
{
    pthread_t threads[THREADS];
    unsigned let_in[THREADS] = {0};
    uint32_t ticket;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &let_in[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(let_in[i] > 0);
    }
    assert_int_equal(enter("192.0.2.1", 2, 2, &ticket), 0);
    assert_int_equal(enter("192.0.2.1", 2, 2, &ticket), 0);
    assert_int_equal(enter("192.0.2.1", 2, 2, &ticket), PARLEY_NETWORK);
}

static void what_a_killed_process_held_is_given_back(void **state)
{
    struct census_limits limits = {5, 0, 0, 0};
    struct network client = client_of("192.0.2.1");
    uint32_t mine[2], ticket;
    int pipes[2];
    char byte;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(enter("192.0.2.1", 5, 0, &mine[i]), 0);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++)
            if (census_enter(census, &limits, &client, OTHER, &ticket) < 0)
                _exit(1);
        if (write(pipes[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(pipes[0]);
    assert_int_equal(enter("192.0.2.1", 5, 0, &ticket), PARLEY_NETWORK);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    census_bury(census, OTHER);
    for (int i = 0; i < 3; i++)
        assert_int_equal(enter("192.0.2.1", 5, 0, &ticket), 0);
    assert_int_equal(enter("192.0.2.1", 5, 0, &ticket), PARLEY_NETWORK);
    census_leave(census, mine[0]);
    assert_int_equal(enter("192.0.2.1", 5, 0, &ticket), 0);
}

/* Killed while it counts, over and over: at any moment, mostly with the lock held. */
static void one_killed_in_the_middle_of_counting_leaves_nothing_behind(void **state)
{
    struct census_limits limits = {3, 3, 0, 0};
    struct network client = client_of("192.0.2.1");
    uint32_t kept, tickets[3];

    (void)state;
    assert_int_equal(census_enter(census, &limits, &client, ME, &kept), 0);
    for (int round = 0; round < 100; round++) {
        pid_t child = fork();
        if (child == 0)
            for (;;)
                if (census_enter(census, &limits, &client, OTHER, &tickets[0]) == 0)
                    census_leave(census, tickets[0]);
        usleep((unsigned)(300 + round * 7));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        census_bury(census, OTHER);
        for (int i = 0; i < 2; i++)
            assert_int_equal(census_enter(census, &limits, &client, ME, &tickets[i]), 0);
        assert_int_equal(census_enter(census, &limits, &client, ME, &tickets[2]), PARLEY_NETWORK);
        for (int i = 0; i < 2; i++)
            census_leave(census, tickets[i]);
    }
}

#define CENSUS_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CENSUS_TEST(an_address_has_its_limit_and_others_have_theirs),
        CENSUS_TEST(of_ipv6_each_64_is_one),
        CENSUS_TEST(a_network_has_its_limit),
        CENSUS_TEST(both_limits_hold_together),
        CENSUS_TEST(both_limits_agree_in_every_set),
        CENSUS_TEST(unix_peers_are_not_counted),
        CENSUS_TEST(a_million_addresses_that_come_and_go_leave_nothing),
        CENSUS_TEST(a_million_addresses_at_once_are_counted_coarser),
        CENSUS_TEST(threads_count_together),
        CENSUS_TEST(what_a_killed_process_held_is_given_back),
        CENSUS_TEST(one_killed_in_the_middle_of_counting_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
