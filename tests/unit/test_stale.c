/* What epoll tells of connections that have gone: FAULTS E2. The kernel does so where a copy of the
 * descriptor lives on, in a child for one; here each wait repeats all that it ever told, as ends and errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/sys.h"
#include "injecting.h"
#include "serving.h"

/* In what epoll keeps for listeners and watches, and not for connections. */
#define TAGS (UINT64_C(3) << 62)

enum { MOST_KEYS = 16 };
enum { LEARNS, KNOWS, REPEATS };

static int (*wait_truly)(int epoll, struct epoll_event *events, int max, int timeout);
static uint64_t keys[MOST_KEYS];
static int key_count;
static atomic_int phase;
static atomic_int repeated;

static void remember(const struct epoll_event *event)
{
    for (int i = 0; i < key_count; i++)
        if (keys[i] == event->data.u64)
            return;
    if (!(event->data.u64 & TAGS) && key_count < MOST_KEYS)
        keys[key_count++] = event->data.u64;
}

static int wait_and_repeat(int epoll, struct epoll_event *events, int max, int timeout)
{
    int count = wait_truly(epoll, events, max, timeout);
    int stale = atomic_load(&phase) == REPEATS && count > 0 ? key_count : 0;

    for (int i = 0; i < stale && count < max; i++, atomic_fetch_add(&repeated, 1))
        events[count++] = (struct epoll_event){
            .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR, .data.u64 = keys[i]};
    for (int i = 0; atomic_load(&phase) == LEARNS && i < count; i++)
        remember(&events[i]);
    return count;
}

static void stale_in(const char *model)
{
    key_count = 0;
    atomic_store(&phase, LEARNS);
    atomic_store(&repeated, 0);
    server_start(&witnessed_echo, model, OPTIONS("workers", "1", "linger", "0"));
    int first = client_open();
    client_say(first, "hello", 5);
    client_hear(first, "hello", 5);
    client_leave(first);
    UNTIL(witness->closed == 1);
    atomic_store(&phase, KNOWS);
    int second = client_open(); /* in the place of the first */
    UNTIL(witness->opened == 2);
    atomic_store(&phase, REPEATS);
    plan_nothing();
    for (int i = 0; i < 3; i++) {
        client_say(second, "again", 5);
        client_hear(second, "again", 5);
    }
    assert_true(atomic_load(&repeated) > 0);
    assert_int_equal(calls_of(CALL_RECV), 3); /* nobody looked for what was told of the first */
    assert_int_equal(witness->closed, 1);
    client_leave(second);
    UNTIL(witness->closed == 2);
    assert_int_equal(server_stop(), 0);
}

static void a_stale_event_reaches_nobody(void **state)
{
    (void)state;
    wait_truly = sys.epoll_wait;
    sys.epoll_wait = wait_and_repeat;
    in_models("iterative+epoll", stale_in);
    in_models("prethread+epoll", stale_in);
    sys.epoll_wait = wait_truly;
}

int main(void)
{
    const struct CMUnitTest tests[] = {INJECTED_TEST(a_stale_event_reaches_nobody)};

    return cmocka_run_group_tests(tests, injecting_prepare, injecting_check);
}
