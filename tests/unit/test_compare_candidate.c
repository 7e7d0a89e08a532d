#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare/compare.h"
#include "compare/words.h"
#include "loopback.h"

static struct compare_plan plan;
static struct comparison comparison;

static int prepare(void **state)
{
    (void)state;
    plan = (struct compare_plan){.server = {.list = {0, 1}, .count = 2}};
    comparison = (struct comparison){.plan = &plan};
    return 0;
}

static int finish(void **state)
{
    (void)state;
    comparison_close(&comparison);
    return 0;
}

/* ---- words ---- */

/* "a|b c" for the words "a" and "b c". */
static void check_words(const char *text, const char *expected)
{
    char joined[256] = "";
    char **words = words_split(text);
    assert_non_null(words);
    for (char **word = words; *word; word++)
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", word > words ? "|" : "",
                 *word);
    assert_string_equal(joined, expected);
    words_free(words);
}

static void test_words_are_split_as_a_shell_does(void **state)
{
    (void)state;
    check_words("a", "a");
    check_words("  server -p\t80 ", "server|-p|80");
    check_words("sh -c 'a \"b\" \\c'", "sh|-c|a \"b\" \\c");
    check_words("a \"b 'c' \\\" \\\\ \\d\"", "a|b 'c' \" \\ \\d");
    check_words("a\\ b c\\'d ''", "a b|c'd|");
    check_words("x'y'\"z\"$HOME;*", "xyz$HOME;*");
    check_words("a\\", "a\\");
}

static void check_no_words(const char *text, const char *sentence)
{
    assert_null(words_split(text));
    assert_non_null(strstr(parley_error(), sentence));
}

static void test_words_that_are_none(void **state)
{
    (void)state;
    check_no_words("", "no command");
    check_no_words("  \t", "no command");
    check_no_words("a 'b", "not closed");
    check_no_words("a \"b\\\"", "not closed");
}

static void test_the_port_takes_its_place(void **state)
{
    (void)state;
    char **words = words_split("server {port} -p{port}:{port} {por");
    char **copies = words_with_port(words, 3000);
    assert_non_null(copies);
    assert_string_equal(copies[0], "server");
    assert_string_equal(copies[1], "3000");
    assert_string_equal(copies[2], "-p3000:3000");
    assert_string_equal(copies[3], "{por");
    assert_null(copies[4]);
    words_free(copies);
    words_free(words);
}

/* ---- candidates ---- */

static void test_models_have_their_whole_name_once(void **state)
{
    (void)state;
    assert_int_equal(comparison_add_model(&comparison, "fork"), 0);
    assert_int_equal(comparison_add_model(&comparison, "epoll"), 0);
    assert_int_equal(comparison_add_model(&comparison, "fork+blocking"), 0);
    assert_int_equal(comparison.count, 2);
    assert_string_equal(comparison.candidates[0].name, "fork+blocking");
    assert_string_equal(comparison.candidates[1].model, "prethread+epoll");
    check_failure(comparison_add_model(&comparison, "frok"), PARLEY_USAGE, "frok");
}

static void check_at_once(const char *model, unsigned expected)
{
    assert_int_equal(comparison_add_model(&comparison, model), 0);
    assert_int_equal(comparison.candidates[comparison.count - 1].at_once, expected);
}

static void test_how_many_clients_a_model_serves_at_once(void **state)
{
    (void)state;
    check_at_once("iterative", 1);
    check_at_once("iterative+epoll", 1);
    check_at_once("fork", 0);
    check_at_once("thread", 0);
    check_at_once("fork+select", 0);
    check_at_once("prethread+epoll", 0);
    check_at_once("prefork+blocking", 2); /* as many as workers, which are as many as processors */
    check_at_once("prethread+select", 1000);
    check_at_once("thread+select", 500);
    plan.workers = 9;
    check_at_once("prethread+blocking", 9);
}

static void test_a_workload_too_wide(void **state)
{
    (void)state;
    struct candidate one = {.at_once = 1}, any = {.at_once = 0};
    struct workload narrow = {.connections = 1}, wide = {.connections = 2};
    assert_true(candidate_takes(&one, &narrow));
    assert_false(candidate_takes(&one, &wide));
    assert_true(candidate_takes(&any, &wide));
}

static void test_peers(void **state)
{
    (void)state;
    assert_int_equal(comparison_add_peer(&comparison, "a=server --port={port} x=y"), 0);
    const struct candidate *peer = &comparison.candidates[0];
    assert_string_equal(peer->name, "a");
    assert_null(peer->model);
    assert_string_equal(peer->words[1], "--port={port}");
    assert_string_equal(peer->words[2], "x=y");
    check_failure(comparison_add_peer(&comparison, "a=other {port}"), PARLEY_USAGE,
                  "two servers are named a");
    check_failure(comparison_add_peer(&comparison, "b=server"), PARLEY_USAGE, "no {port}");
    check_failure(comparison_add_peer(&comparison, "server {port}"), PARLEY_USAGE, "no name");
    check_failure(comparison_add_peer(&comparison, "=server {port}"), PARLEY_USAGE, "no name");
    check_failure(comparison_add_peer(&comparison, "c='server {port}"), PARLEY_USAGE, "not closed");
    assert_int_equal(comparison.count, 1);
}

/* ---- exchanges ---- */

static void test_how_services_are_loaded(void **state)
{
    (void)state;
    struct load_plan load;
    struct workload workload = {.connections = 8}, churn = {.connections = 1, .churn = true};
    plan.exchange = exchange_of("echo");
    plan.size = 100;
    plan.depth = 4;
    plan.duration = 1000;
    plan.generator = (struct processors){{2, 3, 4}, 3};
    compare_load_plan(&plan, &workload, &load);
    assert_true(load.connections == 8 && load.threads == 3 && load.depth == 4 && load.size == 100);
    assert_true(load.reply == REPLY_BYTES && load.reply_size == 100 && load.verify && !load.churn);
    assert_ptr_equal(load.processors, plan.generator.list);
    compare_load_plan(&plan, &churn, &load);
    assert_true(load.connections == 1 && load.threads == 1 && load.depth == 1 && load.churn);
    plan.exchange = exchange_of("hangup");
    compare_load_plan(&plan, &workload, &load);
    assert_true(load.churn && load.reply == REPLY_END && load.size == 0 && load.message);
    assert_non_null(exchange_of("chargen")->refusal);
    assert_null(exchange_of("none"));
}

#define CANDIDATE_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CANDIDATE_TEST(test_words_are_split_as_a_shell_does),
        CANDIDATE_TEST(test_words_that_are_none),
        CANDIDATE_TEST(test_the_port_takes_its_place),
        CANDIDATE_TEST(test_models_have_their_whole_name_once),
        CANDIDATE_TEST(test_how_many_clients_a_model_serves_at_once),
        CANDIDATE_TEST(test_a_workload_too_wide),
        CANDIDATE_TEST(test_peers),
        CANDIDATE_TEST(test_how_services_are_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
