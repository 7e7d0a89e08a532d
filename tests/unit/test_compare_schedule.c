/* Children, and the order of measurements, with a load that only notes what it was asked. The servers are
 * this very program, called with a word and a port. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compare/child.h"
#include "compare/compare.h"
#include "load/result.h"
#include "loopback.h"

enum { MOST_LOADS = 64, INTERRUPT_NEVER = -1 };

/* ---- the servers ---- */

static void serve(int port)
{
    int listener = loopback_listen("127.0.0.1", &port, 5);
    char bytes[4096];
    for (ssize_t size;;) {
        int client = accept(listener, NULL, NULL);
        while (client >= 0 && (size = read(client, bytes, sizeof bytes)) > 0)
            if (write(client, bytes, (size_t)size) < 0)
                break;
        if (client >= 0)
            close(client);
    }
}

/* Leaves a child behind that would live for ever, and says its pid. */
static void abandon(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    fprintf(stderr, "%d\n", (int)pid);
}

static int be_a_server(const char *word, const char *port)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (strcmp(word, "fail") == 0) {
        fprintf(stderr, "at first\nat last\n");
        return 7;
    }
    if (strcmp(word, "abandon") == 0)
        abandon();
    if (strcmp(word, "stay") == 0)
        sigaction(SIGTERM, &ignore, NULL);
    if (strcmp(word, "stay") == 0)
        fprintf(stderr, "deaf\n");
    if (strcmp(word, "serve") == 0)
        serve((int)strtol(port, NULL, 10));
    for (;;)
        pause();
}

/* ---- children ---- */

static void start(struct child *child, const char *word)
{
    const char *words[] = {"server", word, "0", NULL};
    struct processors any = {.count = 0};
    assert_int_equal(child_start(child, "/proc/self/exe", (char *const *)(void *)words, &any, -1), 0);
    assert_true(child->pid > 0);
}

static void until_it_says(const struct child *child, char *line, size_t room)
{
    struct timespec nap = {.tv_nsec = 1000000};
    *line = '\0';
    for (int left = 8000; !*line && left > 0; left--) {
        child_last_line(child, line, room);
        nanosleep(&nap, NULL);
    }
    assert_string_not_equal(line, "");
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

static void test_a_child_ends_when_told(void **state)
{
    (void)state;
    struct child child;
    char text[200];
    start(&child, "wait");
    pid_t pid = child.pid;
    assert_false(child_has_ended(&child));
    child_end(&child);
    assert_true(child_has_ended(&child));
    assert_true(is_gone(pid));
    child_epitaph(&child, text, sizeof text);
    assert_string_equal(text, "was ended by signal 15 (Terminated)");
    child_close(&child);
    child_close(&child);
}

static void test_a_child_that_is_deaf_is_killed(void **state)
{
    (void)state;
    struct child child;
    char line[64];
    start(&child, "stay");
    until_it_says(&child, line, sizeof line);
    pid_t pid = child.pid;
    child_end(&child);
    assert_true(is_gone(pid));
    assert_true(WIFSIGNALED(child.status) && WTERMSIG(child.status) == SIGKILL);
    child_close(&child);
}

/* What a server leaves behind goes with it. */
static void test_nothing_is_left_of_its_group(void **state)
{
    (void)state;
    struct child child;
    char line[64];
    struct timespec nap = {.tv_nsec = 1000000};
    start(&child, "abandon");
    until_it_says(&child, line, sizeof line);
    pid_t left_behind = (pid_t)strtol(line, NULL, 10);
    assert_false(is_gone(left_behind));
    child_end(&child);
    /* Whoever takes in orphans waits for it; until then it has ended, at least. */
    for (int left = 8000; !is_gone(left_behind) && left > 0; left--) {
        char state_line[128] = "", path[64];
        snprintf(path, sizeof path, "/proc/%d/stat", (int)left_behind);
        FILE *in = fopen(path, "re");
        if (in && fgets(state_line, sizeof state_line, in) && strstr(state_line, ") Z"))
            left = 0;
        if (in)
            fclose(in);
        nanosleep(&nap, NULL);
        assert_true(left != 1);
    }
    child_close(&child);
}

static void test_how_a_child_failed(void **state)
{
    (void)state;
    struct child child;
    char text[200];
    start(&child, "fail");
    waitid(P_PID, (id_t)child.pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    assert_true(child_has_ended(&child));
    child_end(&child);
    child_epitaph(&child, text, sizeof text);
    assert_string_equal(text, "ended with exit code 7: at last");
    child_close(&child);
}

static void test_a_command_that_is_none(void **state)
{
    (void)state;
    struct child child;
    struct processors any = {.count = 0};
    char path[] = "/nonexistent/server", *words[] = {path, NULL};
    check_failure(child_start(&child, words[0], words, &any, -1), PARLEY_NETWORK, "/nonexistent/server");
    assert_int_equal(child.pid, 0);
    child_close(&child);
}

/* ---- the schedule ---- */

static struct {
    unsigned connections[MOST_LOADS];
    bool churn[MOST_LOADS];
    int ports[MOST_LOADS];
    size_t count;
    int interrupt_at; /* the load that is interrupted */
    bool churn_fails; /* a connection for each exchange gets no answer */
} loads;

static int note_load(const struct load_plan *load, struct load_result *result)
{
    assert_true(loads.count < MOST_LOADS);
    loads.connections[loads.count] = load->connections;
    loads.churn[loads.count] = load->churn;
    loads.ports[loads.count] = (int)strtol(strrchr(load->address, ':') + 1, NULL, 10);
    if (load->churn && loads.churn_fails)
        load_fault_note(result->faults, FAULT_CLOSED, 5, "the server closed the connection");
    else
        result->requests = 10 * (loads.count + 1);
    result->elapsed = 1;
    result->limits.server_cpu = 1;
    if ((int)loads.count++ == loads.interrupt_at)
        result->interrupted = SIGTERM;
    return 0;
}

static struct compare_plan plan;
static struct comparison comparison;
static char names[MOST_LOADS * 2]; /* whose turn it was, a letter each */

static void note_turn(void *context, const struct comparison *compared, const struct candidate *candidate,
                      const struct workload *workload, size_t step, size_t steps)
{
    (void)context, (void)compared;
    assert_true(step < steps);
    if (workload)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s", candidate->name);
}

static int prepare(void **state)
{
    (void)state;
    plan = (struct compare_plan){.exchange = exchange_of("echo"),
                                 .workloads = {{.connections = 4}, {.connections = 1, .churn = true}},
                                 .workload_count = 2,
                                 .duration = 100,
                                 .rounds = 3,
                                 .size = 64,
                                 .depth = 1,
                                 .load = note_load};
    comparison = (struct comparison){.plan = &plan};
    memset(&loads, 0, sizeof loads);
    loads.interrupt_at = INTERRUPT_NEVER;
    names[0] = '\0';
    return 0;
}

static int finish(void **state)
{
    (void)state;
    comparison_close(&comparison);
    return 0;
}

static void add_peer(char name, const char *word)
{
    char text[128];
    snprintf(text, sizeof text, "%c=/proc/self/exe %s {port}", name, word);
    assert_int_equal(comparison_add_peer(&comparison, text), 0);
}

static void test_rounds_take_turns(void **state)
{
    (void)state;
    add_peer('a', "serve");
    add_peer('b', "serve");
    add_peer('c', "serve");
    comparison.candidates[2].at_once = 1;
    assert_int_equal(comparison_run(&comparison, note_turn, NULL), 0);
    /* Each round: four connections, of which c can take but one, then the churn. */
    assert_string_equal(names, "ababc"
                               "babca"
                               "abcab");
    assert_int_equal(loads.count, strlen(names));
    assert_true(loads.connections[0] == 4 && !loads.churn[0]);
    assert_true(loads.connections[2] == 1 && loads.churn[2]);
    assert_int_equal(comparison.candidates[0].cells[0].count, 3);
    assert_int_equal(comparison.candidates[2].cells[0].count, 0);
    assert_int_equal(comparison.candidates[2].cells[1].count, 3);
    assert_true(comparison.candidates[0].cells[0].median.values[MEASURE_RATE] > 0);
    assert_false(comparison_failed(&comparison));
    for (size_t i = 1; i < loads.count; i++)
        assert_true(loads.ports[i] > 0);
}

static void test_who_fails_leaves_the_others(void **state)
{
    (void)state;
    plan.rounds = 1;
    add_peer('a', "fail");
    add_peer('b', "serve");
    assert_int_equal(comparison_run(&comparison, note_turn, NULL), 0);
    assert_string_equal(names, "bb");
    assert_string_equal(comparison.candidates[0].reason, "ended with exit code 7: at last");
    assert_string_equal(comparison.candidates[1].reason, "");
    assert_int_equal(comparison.candidates[1].cells[1].count, 1);
    assert_true(comparison_failed(&comparison));
}

static void test_who_answers_nothing_fails_where_it_did(void **state)
{
    (void)state;
    plan.rounds = 1;
    loads.churn_fails = true;
    add_peer('a', "serve");
    assert_int_equal(comparison_run(&comparison, note_turn, NULL), 0);
    assert_string_equal(comparison.candidates[0].reason,
                        "answered nothing with a connection for each exchange: "
                        "the server closed the connection");
    assert_true(comparison.candidates[0].cells[0].median.values[MEASURE_RATE] > 0);
    assert_true(comparison_failed(&comparison));
}

static void test_an_interruption_keeps_what_was_measured(void **state)
{
    (void)state;
    add_peer('a', "serve");
    add_peer('b', "serve");
    loads.interrupt_at = 2;
    assert_int_equal(comparison_run(&comparison, note_turn, NULL), 0);
    assert_int_equal(loads.count, 3);
    assert_int_equal(comparison.interrupted, SIGTERM);
    assert_int_equal(comparison.candidates[1].cells[0].count, 1);
    assert_int_equal(comparison.candidates[0].cells[1].count, 0);
    assert_false(comparison_failed(&comparison));
}

static void test_memory_is_looked_at(void **state)
{
    (void)state;
    plan.rounds = 1;
    add_peer('a', "serve");
    comparison.candidates[0].at_once = 1;
    assert_int_equal(comparison_run(&comparison, NULL, NULL), 0);
    const struct memory *memory = &comparison.candidates[0].memory;
    assert_true(memory->idle > 0);
    assert_int_equal(memory->held, 1);
    assert_int_equal(memory->processes, 1);
    assert_int_equal(memory->threads, 1);
}

#define SCHEDULE_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_ends_when_told),
        cmocka_unit_test(test_a_child_that_is_deaf_is_killed),
        cmocka_unit_test(test_nothing_is_left_of_its_group),
        cmocka_unit_test(test_how_a_child_failed),
        cmocka_unit_test(test_a_command_that_is_none),
        SCHEDULE_TEST(test_rounds_take_turns),
        SCHEDULE_TEST(test_who_fails_leaves_the_others),
        SCHEDULE_TEST(test_who_answers_nothing_fails_where_it_did),
        SCHEDULE_TEST(test_an_interruption_keeps_what_was_measured),
        SCHEDULE_TEST(test_memory_is_looked_at),
    };
    if (count == 3)
        return be_a_server(words[1], words[2]);
    return cmocka_run_group_tests(tests, remember_baseline, check_baseline);
}
