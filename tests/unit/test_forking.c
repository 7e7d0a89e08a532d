/* Processes that begin while threads of the host are busy: FAULTS D9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "captured.h"
#include "serving.h"

enum { BUSY = 2, BORN = 20, COPY = 100000 };

static atomic_bool over;

/* Holds what a thread of a host's may hold when another forks: the allocator's locks, the clock's, a log
 * line. */
static void *keep_busy(void *context)
{
    void *kept[64] = {0};
    char text[64];

    for (size_t i = 0; !atomic_load(&over); i++) {
        void **place = &kept[i % 64];
        time_t now = time(NULL);
        struct tm calendar;
        free(*place);
        *place = malloc(i * 7919 % 200000 + 1);
        strftime(text, sizeof text, "%H:%M", localtime_r(&now, &calendar));
        if (i % 16 == 0)
            parley_server_log(context, "busy at %s", text);
    }
    for (size_t i = 0; i < 64; i++)
        free(kept[i]);
    return NULL;
}

/* What a handler may do in its process. */
static void allocate_and_echo(parley_conn *conn, const void *bytes, size_t size)
{
    void *copy = malloc(COPY);

    assert_non_null(copy);
    memcpy(copy, bytes, size < COPY ? size : COPY);
    parley_log(conn, "%zu bytes", size);
    echo_received(conn, copy, size < COPY ? size : COPY);
    free(copy);
}

static const parley_handler allocating = WITNESS(.received = allocate_and_echo);

static void born_in(const char *model)
{
    struct captured captured;
    pthread_t threads[BUSY];

    capture_stderr(&captured);
    atomic_store(&over, false);
    server_start(&allocating, model, OPTIONS("log", "text", "per-address", "1000"));
    for (int i = 0; i < BUSY; i++)
        pthread_create(&threads[i], NULL, keep_busy, server);
    for (int i = 0; i < BORN; i++)
        client_is_served();
    atomic_store(&over, true);
    for (int i = 0; i < BUSY; i++)
        pthread_join(threads[i], NULL);
    int status = server_stop();
    release_stderr(&captured);
    assert_int_equal(status, 0);
    assert_int_equal(witness->misuse, 0);
}

/* What they hold stays held for ever in the child of a fork. */
static void busy_threads_hold_up_no_child(void **state)
{
    (void)state;
    if (IS_SANITIZED)
        skip(); /* its own allocator does not outlive such a fork */
    in_models("fork", born_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {SERVER_TEST(busy_threads_hold_up_no_child)};

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
