/* The clock, what happens next, and one run from its plan to its end. */
#include "sim.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct world world;
const char *sim_only;

static jmp_buf way_out;
static struct sys real;

_Noreturn void violated(const struct link *link, const char *format, ...)
{
    va_list arguments;
    if (!sim_traced)
        longjmp(way_out, 1); /* it comes back the same, and is written down then */
    sim_tell_trace();
    fprintf(stderr, "seed %llu%s%s: ", (unsigned long long)world.seed, sim_only ? " --poller " : "",
            sim_only ? sim_only : "");
    if (link)
        fprintf(stderr, "connection #%d: ", link->number);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    longjmp(way_out, 1);
}

/* ---- time passes ---- */

static int64_t sim_now(void)
{
    return world.now;
}

static uint32_t sim_random(void)
{
    return (uint32_t)draw();
}

static int64_t next_event(void)
{
    int64_t next =
        earlier_of(earlier_of(world.stop_at, world.abort_at), earlier_of(world.letter_at, operations_next()));
    for (unsigned i = 0; i < world.plan.links; i++) {
        const struct link *link = &world.links[i];
        next = earlier_of(next, link->step_at);
        if (link->stage == OPEN && link->full_until > world.now)
            next = earlier_of(next, link->full_until);
    }
    return next;
}

static void stop(enum worker_stop how)
{
    note(NULL, how == WORKER_ABORT ? "abort" : "stop");
    atomic_store(&world.worker.stop, how);
    world.stopped_at = world.stopped ? world.stopped_at : world.now;
    world.stopped = world.interrupted = true;
}

static void happen(void)
{
    for (unsigned i = 0; i < world.plan.links; i++)
        if (world.links[i].step_at <= world.now)
            peer_step(&world.links[i]);
    operations_happen();
    if (world.letter_at <= world.now) {
        world.letter_at = world.now + 1 + below(world.plan.letters);
        post_some_letter();
    }
    if (world.stop_at <= world.now) {
        world.stop_at = NEVER;
        stop(WORKER_DRAINS);
    }
    if (world.abort_at <= world.now) {
        world.abort_at = NEVER;
        stop(WORKER_ABORT);
    }
}

static void pass_time(int64_t until)
{
    world.now = until > world.now ? until : world.now;
    if (world.plan.freezes && !world.stopped && below(2000) == 0)
        world.now += 300000;
    happen();
}

static bool is_interrupted(void)
{
    bool interrupted = world.interrupted || chance(world.plan.hiccups / 10);
    world.interrupted = false;
    return interrupted;
}

void world_sleep(int64_t timeout, bool (*ready)(void))
{
    int64_t limit = timeout < 0 ? NEVER : world.now + timeout;
    judge_turn();
    MUST(++world.busy_turns < 300, NULL, "it spins");
    if (chance(30))
        pass_time(world.now + below(3));
    while (!ready() && !is_interrupted() && world.now < limit) {
        int64_t next = next_event();
        judge_asleep();
        MUST(next < NEVER || limit < NEVER, NULL, "asleep for ever");
        world.busy_turns = 0;
        pass_time(next < limit ? next : limit + (chance(10) ? below(4) : 0));
    }
}

/* ---- one run ---- */

static bool make_server(void)
{
    parley_handler handler = service_handler();
    world.server = parley_server_new(&handler);
    if (!world.server)
        return false;
    set_options(&world.server->options);
    world.server->worker_total = 1;
    world.server->bounds = sys.calloc(1, sizeof *world.server->bounds);
    if (!world.server->bounds)
        return false;
    world.server->bound_count = 1;
    world.listener_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *world.server->bounds =
        (struct bound){.fd = world.listener_fd, .text = "simulated:1", .door = &world.server->front};
    world.server->bounds->address.storage.ss_family = AF_INET;
    return true;
}

static void make_world(uint64_t seed)
{
    world = (struct world){.seed = seed, .now = 1000000};
    /* Scattered: the streams of neighbouring seeds must not be one stream, a step apart. */
    world.random = (seed + 1) * 0xd6e8feb86659fd93u;
    world.random ^= world.random >> 32;
    world.random *= 0xd6e8feb86659fd93u;
    trace_clear();
    operations_reset();
    make_plan();
    world.stop_at = world.now + 1 + below(chance(80) ? 20000 : 200000);
    world.abort_at = world.plan.abort ? world.stop_at + below(10000) : NEVER;
    world.letter_at = world.plan.letters ? world.now + below(world.plan.letters) : NEVER;
    world.memory_fails = chance(20);
}

static void run_worker(void)
{
    world.worker = (struct worker){.server = world.server, .fd = -1, .generation = 1 + below(3)};
    atomic_store(&world.worker.cancel, -1);
    world.server->workers = &world.worker;
    atomic_store(&world.server->accepting, 1);
    int status = worker_run(&world.worker);
    note(NULL, "the worker has ended");
    if (status == 0)
        judge_end();
    else
        MUST(world.refused > 0, NULL, "the worker failed: %s", parley_error());
    world.server->workers = NULL;
}

static void run(void)
{
    memory_install();
    sockets_install();
    readiness_install();
    sys.now = sim_now;
    sys.random = sim_random;
    bool made = make_server();
    for (unsigned i = 0; i < world.plan.links && made; i++)
        peer_plan(&world.links[i], (int)i);
    world.memory_fails = true;
    if (made)
        run_worker();
    parley_server_free(world.server);
    world.server = NULL;
    MUST(world.blocks == 0, NULL, "%ld blocks of memory were not freed", world.blocks);
}

static void forget_links(void)
{
    for (int i = 0; i < LINKS; i++) {
        struct link *link = &world.links[i];
        bytes_free(&link->said);
        bytes_free(&link->owed);
        messages_free(link);
    }
}

static bool run_once(uint64_t seed, bool traced)
{
    real = sys;
    sim_traced = traced;
    make_world(seed);
    int unused = dup(STDERR_FILENO);
    bool held = setjmp(way_out) == 0;
    if (held)
        run();
    else
        close_range((unsigned)unused, ~0u, 0); /* left open where it was left */
    close(unused);
    sys = real;
    forget_links();
    return held;
}

bool sim_run(uint64_t seed)
{
    if (run_once(seed, sim_verbose))
        return true;
    if (!sim_verbose && run_once(seed, true))
        fprintf(stderr, "seed %llu: failed once, and not again\n", (unsigned long long)seed);
    return false;
}
