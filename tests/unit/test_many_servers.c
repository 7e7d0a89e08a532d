/* Several servers in one process, and the signals that they share. */
#include "engine/server.h"
#include "supervise/signals.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 80 };

static parley_server *servers[MANY];

static void make(const char *option, const char *value)
{
    static const parley_handler handler = PARLEY_HANDLER(.name = "test");
    for (int i = 0; i < MANY; i++) {
        servers[i] = parley_server_new(&handler);
        assert_non_null(servers[i]);
        assert_int_equal(parley_set(servers[i], option, value), 0);
    }
}

static void unmake(int taken, const sigset_t masks[MANY])
{
    for (int i = taken - 1; i >= 0; i--)
        signals_give_back(servers[i], &masks[i]);
    for (int i = 0; i < MANY; i++)
        parley_server_free(servers[i]);
}

/* One too many says so, and does not wait for a signal that nobody would tell it of. */
static void each_that_takes_signals_is_told(void **state)
{
    sigset_t masks[MANY];
    int taken = 0;
    (void)state;
    make("signals", "on");
    while (taken < MANY && signals_take(servers[taken], &masks[taken]) == 0)
        taken++;
    if (taken < MANY)
        assert_non_null(strstr(parley_error(), "at most 64 servers"));
    raise(SIGTERM);
    for (int i = 0; i < taken; i++)
        assert_int_equal(atomic_load(&servers[i]->signals_seen), 1);
    assert_int_equal(taken, 64);
    unmake(taken, masks);
}

static void others_are_not_bounded(void **state)
{
    sigset_t masks[MANY];
    (void)state;
    make("model", "prethread+epoll");
    for (int i = 0; i < MANY; i++)
        assert_int_equal(signals_take(servers[i], &masks[i]), 0);
    unmake(MANY, masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_that_takes_signals_is_told),
        cmocka_unit_test(others_are_not_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
