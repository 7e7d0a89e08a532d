/* The io_uring poller where the kernel, or luck, is against it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "poller/uring.h"
#include "serving.h"

enum { CROWD = 60, LARGE = 300000 };

static const struct uring_sizes tiny = {.entries = 4, .completions = 8, .buffers = 2, .buffer_size = 64};
static const struct uring_sizes usual = {
    .entries = 64, .completions = 256, .buffers = 8, .buffer_size = 4096};
static struct sys real;

/* Opens a ring and closes it, in a thread of its own: a closed ring comes back to its thread once more, a
 * little later, and interrupts whatever call is made there. */
struct opening {
    int status;
    char sentence[512];
};

static void *open_once(void *context)
{
    struct opening *opening = context;
    struct uring uring;

    opening->status = uring_open(&uring, &usual);
    snprintf(opening->sentence, sizeof opening->sentence, "%s", opening->status < 0 ? parley_error() : "");
    if (opening->status == 0)
        uring_close(&uring);
    return NULL;
}

static struct opening open_in_thread(void)
{
    struct opening opening = {0};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, open_once, &opening), 0);
    pthread_join(thread, NULL);
    return opening;
}

static int begin(void **state)
{
    real = sys;
    memset(&uring_trial, 0, sizeof uring_trial);
    struct opening opening = open_in_thread();
    if (opening.status < 0) {
        print_message("not tested: %s\n", opening.sentence);
        skip();
    }
    return serving_begin(state);
}

static int end(void **state)
{
    int result = serving_end(state);

    sys = real;
    memset(&uring_trial, 0, sizeof uring_trial);
    return result;
}

/* ---- set-up ----------------------------------------------------------------------------------- */

static unsigned refused_flags;
static int refusal;
static atomic_uint asked[8], asked_count; /* by all workers */

static int picky_setup(unsigned entries, struct io_uring *ring, struct io_uring_params *parameters)
{
    atomic_store(&asked[atomic_fetch_add(&asked_count, 1) % 8], parameters->flags);
    if (parameters->flags & refused_flags)
        return refusal;
    return io_uring_queue_init_params(entries, ring, parameters);
}

static struct opening open_picky(unsigned flags, int error)
{
    uring_trial.setup = picky_setup;
    refused_flags = flags;
    refusal = -error;
    asked_count = 0;
    return open_in_thread();
}

static void older_kernels_get_simpler_rings(void **state)
{
    (void)state;
    assert_int_equal(open_picky(0, EINVAL).status, 0);
    assert_int_equal(asked_count, 1);
    assert_true(asked[0] & IORING_SETUP_DEFER_TASKRUN);
    assert_int_equal(open_picky(IORING_SETUP_DEFER_TASKRUN, EINVAL).status, 0);
    assert_int_equal(asked_count, 2);
    assert_true(asked[1] & IORING_SETUP_SINGLE_ISSUER && asked[1] & IORING_SETUP_COOP_TASKRUN);
    assert_int_equal(open_picky(IORING_SETUP_SINGLE_ISSUER, EINVAL).status, 0);
    assert_int_equal(asked_count, 3);
    assert_true(asked[2] & IORING_SETUP_COOP_TASKRUN);
    assert_int_equal(open_picky(IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER, EINVAL).status, 0);
    assert_int_equal(asked_count, 4);
}

static void check_refusal(int error, const char *reason)
{
    struct opening opening = open_picky(~0u, error);

    assert_int_equal(opening.status, PARLEY_RESOURCE);
    assert_non_null(strstr(opening.sentence, reason));
    assert_non_null(strstr(opening.sentence, "choose another poller"));
}

static void a_refusal_says_why(void **state)
{
    (void)state;
    check_refusal(ENOSYS, "no io_uring");
    assert_int_equal(asked_count, 1);
    check_refusal(EPERM, "not permitted");
    check_refusal(ENOMEM, "RLIMIT_MEMLOCK");
    check_refusal(EMFILE, "too many open files");
    check_refusal(EINVAL, "too old");
}

static void a_server_that_is_refused_says_why(void **state)
{
    (void)state;
    uring_trial.setup = picky_setup;
    refused_flags = ~0u;
    refusal = -EPERM;
    server_start(&witnessed_echo, "prethread+uring", NULL);
    assert_int_equal(server_wait(), PARLEY_RESOURCE);
    assert_non_null(strstr(server_sentence, "not permitted"));
}

/* Every flag refused but none: completions then come at any call, in any model. */
static void serve_plainly_in(const char *model)
{
    server_start(&witnessed_echo, model, NULL);
    int fd = client_open();
    client_echo_bulk(fd, LARGE);
    client_leave(fd);
    client_is_served();
    assert_int_equal(server_stop(), 0);
}

static void the_simplest_ring_serves(void **state)
{
    (void)state;
    uring_trial.setup = picky_setup;
    refused_flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER;
    refusal = -EINVAL;
    in_models("uring", serve_plainly_in);
}

/* ---- starvation ------------------------------------------------------------------------------- */

/* Two small buffers, four entries and eight completions for a crowd that speaks all at once. */
static void crowd_in(const char *model)
{
    int fds[CROWD];
    char *bytes = malloc(LARGE);

    memset(bytes, 'x', LARGE);
    server_start(&witnessed_echo, model, NULL);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = client_open();
        client_say(fds[i], bytes, (size_t)i * 40 + 1);
    }
    for (int i = 0; i < CROWD; i++)
        client_say(fds[i], bytes, 777);
    for (int i = 0; i < CROWD; i++) {
        client_hear(fds[i], bytes, (size_t)i * 40 + 1 + 777);
        client_finish(fds[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(client_hear_end(fds[i], NULL), 0);
        close(fds[i]);
    }
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_FINISHED], CROWD);
    free(bytes);
}

static void a_starved_ring_loses_nothing(void **state)
{
    (void)state;
    uring_trial.sizes = tiny;
    in_models("prethread+uring", crowd_in);
    in_models("prefork+uring", crowd_in);
}

static void bulk_in(const char *model)
{
    server_start(&witnessed_echo, model, OPTIONS("high-water", "32KiB"));
    int fd = client_open();
    client_echo_bulk(fd, 8 << 20);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
}

static void a_starved_ring_passes_bulk(void **state)
{
    (void)state;
    uring_trial.sizes = tiny;
    in_models("uring", bulk_in);
}

/* ---- sending ---------------------------------------------------------------------------------- */

static ssize_t no_room_to_send(int fd, const void *bytes, size_t size, int flags)
{
    (void)fd, (void)bytes, (void)size, (void)flags;
    errno = EAGAIN;
    return -1;
}

static ssize_t no_room_to_sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)fd, (void)message, (void)flags;
    errno = EAGAIN;
    return -1;
}

/* No send goes out directly: all of it by the ring, in order. */
static void the_ring_sends_what_cannot_go_directly(void **state)
{
    (void)state;
    sys.send = no_room_to_send;
    sys.sendmsg = no_room_to_sendmsg;
    in_models("uring", bulk_in);
}

/* ---- the end while operations are in flight ----------------------------------------------------- */

/* A peer that never reads, so that a send and a receive of it stay in the kernel. */
static int clogged_client(void)
{
    char bytes[65536] = {0};
    int fd = client_open();

    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 || errno == EINTR)
        continue;
    return fd;
}

static void cut_in(const char *model)
{
    server_start(&witnessed_echo, model, OPTIONS("drain", "100ms", "send-buffer", "8KiB"));
    int clogged = clogged_client();
    int idle = model_has(model, "iterative") ? -1 : client_open();
    UNTIL(witness->opened >= (idle >= 0 ? 2 : 1));
    usleep(100000);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_CUT], 1);
    close(clogged);
    if (idle >= 0) {
        assert_int_equal(client_hear_end(idle, NULL), 0);
        close(idle);
    }
}

static void a_stop_takes_operations_back(void **state)
{
    (void)state;
    in_models("uring", cut_in);
}

static void leave_in(const char *model)
{
    server_start(&witnessed_echo, model, OPTIONS("send-buffer", "8KiB"));
    for (int i = 0; i < 20; i++)
        client_reset(clogged_client());
    UNTIL(witness->closed == 20);
    client_is_served();
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_RESET], 20);
}

static void a_reset_takes_operations_back(void **state)
{
    (void)state;
    in_models("iterative+uring thread+uring prefork+uring prethread+uring", leave_in);
}

/* ---- how it ends for the peer ------------------------------------------------------------------- */

static void obeying_received(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    if (*(const char *)bytes == 'a') {
        parley_abort(conn);
        return;
    }
    parley_send(conn, bytes, size);
    parley_finish(conn);
}

static const parley_handler obeying = WITNESS(.received = obeying_received);

/* Closing alone, with a receive armed, would tell the peer nothing. */
static void end_in(const char *model)
{
    server_start(&obeying, model, NULL);
    int one = client_open(), other = client_open();
    client_say(one, "finish", 6);
    client_hear(one, "finish", 6);
    assert_int_equal(client_hear_end(one, NULL), 0);
    client_leave(one);
    UNTIL(witness->closed == 1);
    client_say(other, "abort", 5);
    assert_int_equal(client_hear_end(other, NULL), ECONNRESET);
    close(other);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_ABORTED], 1);
}

static void the_peer_hears_the_end(void **state)
{
    (void)state;
    in_models("uring", end_in);
}

/* ---- descriptors -------------------------------------------------------------------------------- */

/* With no descriptor to give, an accept fails before any client has come. Nothing may spin on that. */
static void full_in(const char *model)
{
    struct rlimit before, few;

    server_start(&witnessed_echo, model, OPTIONS("workers", "1")); /* one that has opened all it needs */
    client_is_served();
    int waiting = socket(AF_INET, SOCK_STREAM, 0);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t)waiting; /* every number below is taken, or soon is */
    int taken[1024], count = 0;
    setrlimit(RLIMIT_NOFILE, &few);
    while (count < 1024 && (taken[count] = dup(waiting)) >= 0)
        count++;
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    long long start = used.tv_sec * 1000LL + used.tv_nsec / 1000000;
    usleep(200000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    setrlimit(RLIMIT_NOFILE, &before);
    while (count > 0)
        close(taken[--count]);
    assert_true(used.tv_sec * 1000LL + used.tv_nsec / 1000000 - start < 50);
    close(waiting);
    client_is_served();
    client_is_served();
    assert_int_equal(server_stop(), 0);
}

static void without_descriptors_it_waits(void **state)
{
    (void)state;
    in_models("prethread+uring", full_in);
}

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* What the ring says to an operation that the poller never queues. */
static int answer_to(struct uring *uring, uint8_t operation, unsigned flags)
{
    struct io_uring_sqe *entry = uring_entry(uring);
    struct io_uring_cqe *answer;

    io_uring_prep_rw(operation, entry, -1, "/dev/null", 0, 0);
    entry->flags = (uint8_t)flags;
    assert_int_equal(io_uring_submit_and_wait(&uring->ring, 1), 1);
    assert_int_equal(io_uring_peek_cqe(&uring->ring, &answer), 0);
    int result = answer->res;
    io_uring_cqe_seen(&uring->ring, answer);
    return result;
}

static void *try_others(void *context)
{
    static const uint8_t others[] = {IORING_OP_NOP,   IORING_OP_OPENAT, IORING_OP_READ,  IORING_OP_WRITE,
                                     IORING_OP_CLOSE, IORING_OP_SOCKET, IORING_OP_SPLICE};
    int *allowed = context, file = STDERR_FILENO;
    struct uring uring;

    *allowed = uring_open(&uring, &usual) < 0;
    for (size_t i = 0; i < sizeof others; i++)
        *allowed += answer_to(&uring, others[i], 0) != -EACCES;
    *allowed += answer_to(&uring, IORING_OP_POLL_ADD, IOSQE_ASYNC) != -EACCES;
    *allowed += answer_to(&uring, IORING_OP_POLL_ADD, 0) == -EACCES;
    *allowed += io_uring_register_files(&uring.ring, &file, 1) != -EACCES;
    uring_close(&uring);
    return NULL;
}

static void nothing_but_the_pollers_operations(void **state)
{
    pthread_t thread;
    int allowed = -1;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, try_others, &allowed), 0);
    pthread_join(thread, NULL);
    assert_int_equal(allowed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(older_kernels_get_simpler_rings),        RING_TEST(a_refusal_says_why),
        RING_TEST(a_server_that_is_refused_says_why),      RING_TEST(the_simplest_ring_serves),
        RING_TEST(a_starved_ring_loses_nothing),           RING_TEST(a_starved_ring_passes_bulk),
        RING_TEST(the_ring_sends_what_cannot_go_directly), RING_TEST(a_stop_takes_operations_back),
        RING_TEST(a_reset_takes_operations_back),          RING_TEST(the_peer_hears_the_end),
        RING_TEST(without_descriptors_it_waits),           RING_TEST(nothing_but_the_pollers_operations),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
