#include "load/generator.h"
#include "base/error.h"
#include "engine/server.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>

/* Attempts to connect at once, in each thread: a listener's queue should hold them. */
enum { MOST_CONNECTING = 64 };
/* How often a thread looks whether the run has started. */
#define LOOK NS_PER_MS
/* How long it waits at most, with nothing to do: who was not let run that long knows it. */
#define BEAT (10 * NS_PER_MS)
/* How long a server may take to read what it was sent. */
#define FAREWELL NS_PER_SECOND

static double processor_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / NS_PER_SECOND;
}

/* ---- making ---- */

/* Threads take clients in turn: client j belongs to thread j modulo t. */
static unsigned share(unsigned count, unsigned threads, unsigned index)
{
    return count / threads + (index < count % threads);
}

int generator_open(struct generator *generator, struct run *run, unsigned index)
{
    const struct load_plan *plan = run->plan;
    *generator = (struct generator){.run = run, .index = index};
    generator->client_count = share(plan->connections, run->threads, index);
    generator->idle_count = share(plan->idle, run->threads, index);
    unsigned all = generator->client_count + generator->idle_count;
    generator->clients =
        aligned_alloc(_Alignof(struct client), (all + (size_t)1) * sizeof *generator->clients);
    generator->batches =
        calloc((size_t)generator->client_count * plan->depth + 1, sizeof *generator->batches);
    if (tally_open(&generator->tally) < 0 || !generator->clients || !generator->batches ||
        timers_reserve(&generator->timers, all) < 0)
        return fail(PARLEY_RESOURCE, "no memory for %u connections", all);
    for (unsigned i = 0; i < all; i++) {
        struct client *client = &generator->clients[i];
        *client = (struct client){.generator = generator};
        client->idle = i >= generator->client_count;
        client->index = i * run->threads + index;
        client->batches = client->idle ? NULL : generator->batches + (size_t)i * plan->depth;
    }
    return 0;
}

void generator_close(struct generator *generator)
{
    tally_close(&generator->tally);
    timers_close(&generator->timers);
    free(generator->clients);
    free(generator->batches);
}

/* ---- counting ---- */

void generator_record(struct generator *generator, int64_t intended, int64_t sent, int64_t now,
                      uint64_t count)
{
    struct tally *tally = &generator->tally;
    const struct run *run = generator->run;
    if (now < generator->window) {
        tally->early_requests += count;
        histogram_record_many(&tally->early, (uint64_t)(now - intended), count);
        return;
    }
    tally->requests += now < generator->end ? count : 0;
    tally->late += now < generator->end ? 0 : count;
    if (intended < generator->window)
        return;
    histogram_record_many(&tally->recent, (uint64_t)(now - intended), count);
    if (run->slot > 0 || run->plan->churn) /* else it is the same */
        histogram_record_many(&tally->service, (uint64_t)(now - sent), count);
}

void generator_count_open(struct generator *generator, int change)
{
    generator->established += (unsigned)change;
    if (!generator->counting || generator->over)
        return;
    if (generator->established > generator->open_most)
        generator->open_most = generator->established;
    if (generator->established < generator->open_least)
        generator->open_least = generator->established;
}

static void hand_over(struct generator *generator)
{
    ledger_hand_over(&generator->run->ledger, generator->interval, &generator->tally, generator->established);
}

static void begin_counting(struct generator *generator)
{
    generator->counting = true;
    generator->open_least = generator->open_most = generator->established;
    generator->cpu_at_begin = processor_time();
}

static void count_idle(struct generator *generator)
{
    for (unsigned i = 0; i < generator->idle_count; i++) {
        const parley_conn *conn = generator->clients[generator->client_count + i].conn;
        generator->idle_held += conn && conn->opened && !conn->dead;
    }
}

static void stop_counting(struct generator *generator, int64_t now)
{
    generator->over = true;
    generator->stopped = now;
    count_idle(generator);
    generator->cpu = processor_time() - generator->cpu_at_begin;
}

static int64_t interval_end(const struct generator *generator)
{
    return generator->window + ledger_interval_end(&generator->run->ledger, generator->interval);
}

/* The intervals that have passed are handed over; one that a stall has swallowed is handed over empty. */
static void keep_intervals(struct generator *generator, int64_t now)
{
    int64_t until = now < generator->end ? now : generator->end - 1;
    while (until >= interval_end(generator)) {
        hand_over(generator);
        generator->interval++;
    }
}

/* ---- starting ---- */

/* During a ramp the connections of all threads begin one after another, evenly. */
static bool may_open(const struct generator *generator, int64_t now)
{
    const struct load_plan *plan = generator->run->plan;
    const struct client *client = &generator->clients[generator->opened];
    if (generator->opened == generator->client_count + generator->idle_count ||
        generator->connecting >= MOST_CONNECTING)
        return false;
    if (plan->ramp == 0 || client->idle)
        return true;
    if (!run_start(generator->run))
        return false;
    double share = (double)client->index / plan->connections;
    return now >= run_start(generator->run) + (int64_t)((double)plan->ramp * NS_PER_MS * share);
}

static void open_clients(struct generator *generator, int64_t now)
{
    while (may_open(generator, now)) {
        struct client *client = &generator->clients[generator->opened++];
        client_connect(client);
    }
}

/* The schedule starts when every client has been reached, or has failed to be; a ramp's starts at once. Other
 * threads look each LOOK whether it has a start, and none is to be late for its first requests. */
static void try_start(struct run *run, int64_t now)
{
    int64_t none = 0, start = run->threads > 1 ? now + 2 * LOOK : now;
    unsigned all = run->plan->connections + run->plan->idle;
    if (run->plan->ramp > 0 || atomic_load(&run->settled) == all)
        atomic_compare_exchange_strong(&run->start, &none, start);
}

/* A churn whose first connection the server has closed begins with another. */
static void start_client(struct client *client, int64_t now)
{
    const struct run *run = client->generator->run;
    if (client->conn)
        exchange_send(client, now);
    else if (run->plan->churn && run->slot == 0 && !client->idle)
        client_connect(client);
}

static bool has_started(struct generator *generator, int64_t now)
{
    struct run *run = generator->run;
    if (generator_has_started(generator))
        return true;
    if (!run_start(run))
        try_start(run, now);
    if (!run_start(run) || now < run_start(run))
        return false;
    generator->window = run_window(run);
    generator->end = run_end(run);
    generator->tally.bytes_in = generator->tally.bytes_out = 0; /* those of a greeting */
    if (generator->window == run_start(run))                    /* the first requests count */
        begin_counting(generator);
    for (unsigned i = 0; i < generator->opened; i++)
        start_client(&generator->clients[i], now);
    return true;
}

/* ---- ending ---- */

/* Bytes of a reply that did not become whole came all the same; of TLS only records are known. */
static void count_rest(struct generator *generator)
{
    for (unsigned i = 0; i < generator->opened; i++) {
        struct client *client = &generator->clients[i];
        if (!client->conn || client->conn->secured)
            continue;
        generator->tally.bytes_in += client->conn->received - client->position;
        client->position = client->conn->received;
    }
}

/* What is still owed gets no more time; everybody is told goodbye. */
static void dismiss(struct generator *generator, int64_t now)
{
    struct tally *tally = &generator->tally;
    if (generator->owed > 0)
        load_fault_note(tally->faults, FAULT_UNANSWERED, generator->owed,
                        "no reply before the grace was over");
    tally->errors += generator->owed;
    count_rest(generator);
    hand_over(generator);
    generator->dismissed = true;
    for (unsigned i = 0; i < generator->opened; i++)
        if (generator->clients[i].conn)
            parley_finish(generator->clients[i].conn);
    generator->leave_at = now + FAREWELL;
}

/* What is still to be sent goes to a server that reads; one that does not cannot hold us. */
static int64_t say_goodbye(struct generator *generator, int64_t now)
{
    bool all_gone = generator->loop->total == 0;
    if (!all_gone && now < generator->leave_at)
        return generator->leave_at;
    for (unsigned i = 0; i < generator->opened; i++)
        if (generator->clients[i].conn)
            parley_abort(generator->clients[i].conn);
    generator->loop->pace = NULL;
    return -1;
}

/* A signal has ended the run early. What still comes is not counted; the interval that had begun is. */
static void break_off(struct generator *generator, int64_t now)
{
    if (generator->counting && !generator->over && generator->run->slot > 0)
        schedule_break_off(generator, now);
    if (generator->counting && !generator->over)
        stop_counting(generator, now);
    if (generator->counting && !generator->dismissed)
        hand_over(generator);
    generator->dismissed = true;
    generator->loop->pace = NULL;
}

/* ---- the pace ---- */

static int64_t sooner(int64_t one, int64_t other)
{
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

/* When the run is to be looked at again, whatever its connections do. */
static int64_t next_mark(const struct generator *generator)
{
    int64_t interval = interval_end(generator);
    if (generator->over)
        return run_grace_end(generator->run);
    return interval < generator->end ? interval : generator->end;
}

/* When the generator has to look again at the latest. */
static int64_t next_look(const struct generator *generator, int64_t now, int64_t slot)
{
    bool incomplete = generator->established < generator->client_count + generator->idle_count;
    int64_t mark = next_mark(generator);
    int64_t wait = sooner(slot, timers_wait(&generator->timers, now));
    if (incomplete) /* the next of a ramp */
        wait = sooner(wait, NS_PER_MS);
    wait = sooner(wait, BEAT);
    return wait < 0 || now + wait > mark ? mark : now + wait;
}

/* A closed loop has no schedule to be late for, and is stopped or held up all the same. */
static void note_stall(struct generator *generator, int64_t now)
{
    int64_t late = now - generator->look_at;
    if (generator->counting && !generator->over && late > generator->stood_still)
        generator->stood_still = late;
}

static int64_t pace(struct loop *loop)
{
    struct generator *generator = loop->pacer;
    int64_t now = clock_ns(), slot = -1;
    if (loop->draining) {
        break_off(generator, now);
        return -1;
    }
    if (generator->dismissed)
        return say_goodbye(generator, now);
    note_stall(generator, now);
    timers_fire(&generator->timers, now, client_timer);
    open_clients(generator, now);
    if (!has_started(generator, now))
        return run_start(generator->run) ? run_start(generator->run) : now + LOOK;
    if (!generator->counting && now >= generator->window)
        begin_counting(generator);
    if (generator->run->slot > 0)
        slot = schedule_advance(generator, now);
    keep_intervals(generator, now);
    if (!generator->over && now >= generator->end)
        stop_counting(generator, now);
    if (generator->over && (generator->owed == 0 || now >= run_grace_end(generator->run))) {
        dismiss(generator, now);
        return now;
    }
    generator->look_at = next_look(generator, now, slot);
    return generator->look_at;
}

static void pin(const struct load_plan *plan, unsigned index)
{
    cpu_set_t processors;
    if (plan->processor_count == 0)
        return;
    CPU_ZERO(&processors);
    CPU_SET(plan->processors[index % plan->processor_count], &processors);
    pthread_setaffinity_np(pthread_self(), sizeof processors, &processors);
}

int generator_begin(struct loop *loop)
{
    struct run *run = parley_server_user(loop->server);
    struct generator *generator = &run->generators[loop->worker->index];
    pin(run->plan, generator->index);
    prctl(PR_SET_TIMERSLACK, 1); /* the kernel may otherwise be 50 us late, to save power */
    generator->loop = loop;
    loop->pacer = generator;
    loop->pace = pace;
    return 0;
}
