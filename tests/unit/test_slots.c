#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/slots.h"
#include "engine/sys.h"

enum { MOST = 3000 };

static struct slots slots;
static char owners[MOST]; /* stand for connections: only their addresses matter */

static parley_conn *owner(size_t index)
{
    return (parley_conn *)(void *)&owners[index];
}

static int prepare(void **state)
{
    (void)state;
    slots = (struct slots){.free = NO_SLOT, .first_generation = 1};
    return 0;
}

static int finish(void **state)
{
    (void)state;
    sys.free(slots.items);
    return 0;
}

static void finds_whom_it_was_given(void **state)
{
    uint32_t taken[MOST];

    (void)state;
    for (size_t i = 0; i < MOST; i++) {
        taken[i] = slots_take(&slots, owner(i));
        assert_int_not_equal(taken[i], NO_SLOT);
    }
    for (size_t i = 0; i < MOST; i++) {
        uint32_t generation = slots.items[taken[i]].generation;
        assert_ptr_equal(slots_find(&slots, taken[i], generation), owner(i));
        assert_null(slots_find(&slots, taken[i], generation + 1));
        assert_null(slots_find(&slots, taken[i], 0));
    }
    assert_null(slots_find(&slots, slots.room, 1));
    assert_null(slots_find(&slots, NO_SLOT, 1));
}

static void empty_finds_nothing(void **state)
{
    uint32_t from = 0;

    (void)state;
    assert_null(slots_find(&slots, 0, 1));
    assert_null(slots_next(&slots, &from));
}

/* A name that outlived its connection never means the next one in the same slot. */
static void a_stale_name_finds_nothing(void **state)
{
    uint32_t slot = slots_take(&slots, owner(0));
    uint32_t generation = slots.items[slot].generation;

    (void)state;
    for (size_t life = 1; life < MOST; life++) {
        slots_give_back(&slots, slot);
        assert_null(slots_find(&slots, slot, generation));
        assert_int_equal(slots_take(&slots, owner(life)), slot);
        assert_null(slots_find(&slots, slot, generation));
    }
}

/* parley_id 0 names none: worker 0, slot 0 must not come round to it. */
static void generations_come_round_but_not_to_none(void **state)
{
    uint32_t slot = slots_take(&slots, owner(0));

    (void)state;
    slots.items[slot].generation = GENERATIONS;
    slots_give_back(&slots, slot);
    assert_int_equal(slots_take(&slots, owner(1)), slot);
    assert_int_equal(slots.items[slot].generation, 1);
}

/* Takes and gives back at random, beside a plain array. */
static void walks_over_all(void **state)
{
    uint32_t place[MOST];
    size_t alive = 0;

    (void)state;
    srandom(22);
    for (size_t i = 0; i < MOST; i++)
        place[i] = NO_SLOT;
    for (int round = 0; round < 20000; round++) {
        size_t index = (size_t)random() % MOST;
        if (place[index] == NO_SLOT) {
            place[index] = slots_take(&slots, owner(index));
            alive++;
        } else {
            slots_give_back(&slots, place[index]);
            place[index] = NO_SLOT;
            alive--;
        }
    }
    uint32_t from = 0;
    size_t seen = 0;
    for (parley_conn *conn; (conn = slots_next(&slots, &from)) != NULL; seen++)
        assert_ptr_equal(slots.items[place[(char *)conn - owners]].conn, conn);
    assert_int_equal(seen, alive);
}

static void *refuse_realloc(void *memory, size_t size)
{
    (void)memory, (void)size;
    errno = ENOMEM;
    return NULL;
}

static void without_memory_none_is_taken(void **state)
{
    void *(*real)(void *, size_t) = sys.realloc;

    (void)state;
    for (size_t i = 0; i < 64; i++)
        slots_take(&slots, owner(i));
    sys.realloc = refuse_realloc;
    uint32_t refused = slots_take(&slots, owner(64));
    sys.realloc = real;
    assert_int_equal(refused, NO_SLOT);
    for (size_t i = 0; i < 64; i++)
        assert_ptr_equal(slots.items[i].conn, owner(i));
    slots_give_back(&slots, 5);
    assert_int_equal(slots_take(&slots, owner(64)), 5);
    assert_int_equal(slots_take(&slots, owner(65)), 64);
}

/* A name has 20 bits for the slot: there are no more. */
static void there_are_no_more_than_can_be_named(void **state)
{
    uint32_t last = 0;

    (void)state;
    for (uint32_t i = 0; i < MOST_SLOTS; i++)
        last = slots_take(&slots, owner(i % MOST));
    assert_int_equal(last, MOST_SLOTS - 1);
    assert_int_equal(slots_take(&slots, owner(0)), NO_SLOT);
    slots_give_back(&slots, 77);
    assert_int_equal(slots_take(&slots, owner(0)), 77);
}

#define SLOTS_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOTS_TEST(finds_whom_it_was_given),
        SLOTS_TEST(empty_finds_nothing),
        SLOTS_TEST(a_stale_name_finds_nothing),
        SLOTS_TEST(generations_come_round_but_not_to_none),
        SLOTS_TEST(walks_over_all),
        SLOTS_TEST(without_memory_none_is_taken),
        SLOTS_TEST(there_are_no_more_than_can_be_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
