#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/model.h"
#include "loopback.h"

static const char *const placements[] = {"iterative", "fork", "thread", "prefork", "prethread"};
static const char *const pollers[] = {"blocking", "select", "poll", "epoll", "uring"};

static void check(const char *name, const char *placement, const char *poller)
{
    struct model model = {0};

    assert_int_equal(model_parse(&model, name), 0);
    assert_string_equal(model.placement->name, placement);
    assert_string_equal(model.poller->name, poller);
}

static void all_pairs_have_names(void **state)
{
    char name[64];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            snprintf(name, sizeof name, "%s+%s", placements[i], pollers[j]);
            check(name, placements[i], pollers[j]);
        }
    }
}

static void either_half_is_enough(void **state)
{
    (void)state;
    check("iterative", "iterative", "blocking");
    check("fork", "fork", "blocking");
    check("thread", "thread", "blocking");
    check("prefork", "prefork", "epoll");
    check("prethread", "prethread", "epoll");
    for (size_t i = 0; i < 5; i++)
        check(pollers[i], "prethread", pollers[i]);
}

/* The sentence lists what is right, and the model stays as it was. */
static void others_are_refused(void **state)
{
    static const char *const wrong[] = {"",          "+",          "epoll+epoll",    "epoll+prethread",
                                        "fork+fork", "thread+",    "+epoll",         "prethread+epoll+epoll",
                                        "Thread",    "prethread ", "prethread epol", "prethreadepoll"};
    struct model model;

    (void)state;
    model_parse(&model, "thread+poll");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        check_failure(model_parse(&model, wrong[i]), PARLEY_USAGE, "is not known");
        for (size_t j = 0; j < 5; j++) {
            assert_non_null(strstr(parley_error(), placements[j]));
            assert_non_null(strstr(parley_error(), pollers[j]));
        }
        assert_string_equal(model.placement->name, "thread");
        assert_string_equal(model.poller->name, "poll");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pairs_have_names),
        cmocka_unit_test(either_half_is_enough),
        cmocka_unit_test(others_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
