#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sys.h"
#include "engine/dirty.h"

enum { MOST = 1000 };

static char owners[MOST]; /* stand for connections: only their addresses matter */

static parley_conn *owner(size_t index)
{
    return (parley_conn *)(void *)&owners[index % MOST];
}

/* Beside two counters: what was put, and what was taken. Room grows while the ring is bent around its end. */
static void keeps_the_order(void **state)
{
    struct dirty dirty = {0};
    size_t put = 0, taken = 0;

    (void)state;
    srandom(23);
    for (uint32_t total = 1; total <= MOST; total++) {
        assert_int_equal(dirty_reserve(&dirty, total), 0);
        for (int i = random() % 4; i > 0 && put - taken < total; i--)
            dirty_put(&dirty, owner(put++));
        for (int i = random() % 3; i > 0 && taken < put; i--)
            assert_ptr_equal(dirty_take(&dirty), owner(taken++));
        assert_int_equal(dirty.count, put - taken);
    }
    while (taken < put)
        assert_ptr_equal(dirty_take(&dirty), owner(taken++));
    dirty_close(&dirty);
}

/* As many as were reserved find room, whatever came before. */
static void takes_as_many_as_reserved(void **state)
{
    struct dirty dirty = {0};

    (void)state;
    assert_int_equal(dirty_reserve(&dirty, MOST), 0);
    for (size_t i = 0; i < 300; i++)
        dirty_put(&dirty, owner(i));
    for (size_t i = 0; i < 299; i++)
        assert_ptr_equal(dirty_take(&dirty), owner(i));
    for (size_t i = 300; dirty.count < MOST; i++)
        dirty_put(&dirty, owner(i));
    for (size_t i = 299; dirty.count > 0; i++)
        assert_ptr_equal(dirty_take(&dirty), owner(i));
    dirty_close(&dirty);
}

static void *refuse_malloc(size_t size)
{
    (void)size;
    errno = ENOMEM;
    return NULL;
}

static void without_memory_it_stays_as_it_is(void **state)
{
    struct dirty dirty = {0};
    void *(*real)(size_t) = sys.malloc;

    (void)state;
    assert_int_equal(dirty_reserve(&dirty, 1), 0);
    dirty_put(&dirty, owner(7));
    sys.malloc = refuse_malloc;
    int refused = dirty_reserve(&dirty, dirty.room + 1);
    int enough = dirty_reserve(&dirty, dirty.room);
    sys.malloc = real;
    assert_int_equal(refused, -1);
    assert_int_equal(enough, 0);
    assert_ptr_equal(dirty_take(&dirty), owner(7));
    dirty_close(&dirty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order),
        cmocka_unit_test(takes_as_many_as_reserved),
        cmocka_unit_test(without_memory_it_stays_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
