#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sys.h"
#include "engine/slots.h"

enum { MOST = 3000, MANY = 10 * SLOTS_OF_CHUNK };

struct item {
    struct slot slot;
    uint64_t note;
};

static struct slots slots;

static int prepare(void **state)
{
    (void)state;
    slots_open(&slots, sizeof(struct item), 1);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    slots_close(&slots);
    return 0;
}

static struct item *take(void)
{
    struct item *item = slots_take(&slots);
    assert_non_null(item);
    assert_int_equal(item->note, 0);
    return item;
}

static void finds_whom_it_was_given(void **state)
{
    struct item *taken[MOST];

    (void)state;
    for (size_t i = 0; i < MOST; i++)
        (taken[i] = take())->note = i;
    for (size_t i = 0; i < MOST; i++) {
        struct slot slot = taken[i]->slot;
        assert_int_equal(taken[i]->note, i);
        assert_ptr_equal(slots_find(&slots, slot.number, slot.generation), taken[i]);
        assert_null(slots_find(&slots, slot.number, slot.generation + 1));
        assert_null(slots_find(&slots, slot.number, 0));
    }
    assert_null(slots_find(&slots, slots.used, 1));
    assert_null(slots_find(&slots, NO_SLOT, 1));
}

static void empty_finds_nothing(void **state)
{
    uint32_t from = 0;

    (void)state;
    assert_null(slots_find(&slots, 0, 1));
    assert_null(slots_next(&slots, &from));
}

/* A name that outlived its item never means the next one in the same slot. */
static void a_stale_name_finds_nothing(void **state)
{
    struct item *item = take();
    struct slot slot = item->slot;

    (void)state;
    for (size_t life = 1; life < MOST; life++) {
        item->note = life;
        slots_give_back(&slots, &item->slot);
        assert_null(slots_find(&slots, slot.number, slot.generation));
        assert_null(slots_find(&slots, slot.number, slot.generation + 1)); /* nobody's yet */
        assert_ptr_equal(take(), item);
        assert_null(slots_find(&slots, slot.number, slot.generation));
        slot = item->slot;
        assert_ptr_equal(slots_find(&slots, slot.number, slot.generation), item);
    }
}

/* parley_id 0 names none: worker 0, slot 0 must not come round to it. */
static void generations_come_round_but_not_to_none(void **state)
{
    struct item *item = take();

    (void)state;
    item->slot.generation = GENERATIONS;
    slots_give_back(&slots, &item->slot);
    assert_ptr_equal(take(), item);
    assert_int_equal(item->slot.generation, 1);
}

/* Takes and gives back at random, beside a plain array. */
static void walks_over_all(void **state)
{
    struct item *place[MOST] = {NULL};
    size_t alive = 0;

    (void)state;
    srandom(22);
    for (int round = 0; round < 20000; round++) {
        size_t index = (size_t)random() % MOST;
        if (place[index] == NULL) {
            (place[index] = take())->note = index;
            alive++;
        } else {
            slots_give_back(&slots, &place[index]->slot);
            place[index] = NULL;
            alive--;
        }
    }
    uint32_t from = 0;
    size_t seen = 0;
    for (struct item *item; (item = slots_next(&slots, &from)) != NULL; seen++)
        assert_ptr_equal(place[item->note], item);
    assert_int_equal(seen, alive);
}

static bool memory_is_gone;

static void *refuse_malloc(size_t size)
{
    errno = ENOMEM;
    return memory_is_gone ? NULL : malloc(size);
}

static void *refuse_realloc(void *memory, size_t size)
{
    errno = ENOMEM;
    return memory_is_gone ? NULL : realloc(memory, size);
}

/* Each chunk, and each growth of the table of chunks, may be refused: the items that exist stay as they are.
 */
static void check_refusals(void)
{
    struct item *taken[MANY];

    for (size_t i = 0; i < MANY; i++) {
        memory_is_gone = i % SLOTS_OF_CHUNK == 0;
        assert_true(!memory_is_gone || slots_take(&slots) == NULL);
        memory_is_gone = false;
        (taken[i] = take())->note = i;
        assert_int_equal(taken[i]->slot.number, i);
    }
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(taken[i]->note, i);
    memory_is_gone = true;
    slots_give_back(&slots, &taken[5]->slot);
    assert_ptr_equal(slots_take(&slots), taken[5]);
    assert_null(slots_take(&slots));
    memory_is_gone = false;
}

static void without_memory_for_a_chunk_none_is_taken(void **state)
{
    void *(*real)(size_t) = sys.malloc;

    (void)state;
    sys.malloc = refuse_malloc;
    check_refusals();
    sys.malloc = real;
}

static void without_memory_for_the_table_none_is_taken(void **state)
{
    void *(*real)(void *, size_t) = sys.realloc, *refused;

    (void)state;
    sys.realloc = refuse_realloc;
    memory_is_gone = true;
    refused = slots_take(&slots);
    memory_is_gone = false;
    assert_null(refused);
    for (size_t i = 0; i < SLOTS_OF_CHUNK; i++)
        take()->note = i;
    memory_is_gone = true;
    refused = slots_take(&slots);
    memory_is_gone = false;
    sys.realloc = real;
    assert_null(refused);
    assert_int_equal(take()->slot.number, SLOTS_OF_CHUNK);
}

/* A name has 20 bits for the slot: there are no more. */
static void there_are_no_more_than_can_be_named(void **state)
{
    struct item *some = NULL;

    (void)state;
    for (uint32_t i = 0; i < MOST_SLOTS; i++) {
        struct item *item = slots_take(&slots);
        assert_int_equal(item->slot.number, i);
        some = i == 77 ? item : some;
    }
    assert_null(slots_take(&slots));
    slots_give_back(&slots, &some->slot);
    assert_ptr_equal(slots_take(&slots), some);
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
        SLOTS_TEST(without_memory_for_a_chunk_none_is_taken),
        SLOTS_TEST(without_memory_for_the_table_none_is_taken),
        SLOTS_TEST(there_are_no_more_than_can_be_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
