#include "load/observer.h"
#include "base/error.h"
#include "supervise/signals.h"
#include <errno.h>

enum { LOOK = 20 * NS_PER_MS };

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND};
}

/* Sleeps until `when`, or the end of the run, whichever is first; false: it was the end. */
static bool sleep_until(struct observer *observer, int64_t when)
{
    struct ledger *ledger = &observer->run->ledger;
    struct timespec time = timespec_of(when);
    int error = 0;
    pthread_mutex_lock(&ledger->lock);
    while (!atomic_load(&observer->finished) && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&ledger->handed, &ledger->lock, &time);
    pthread_mutex_unlock(&ledger->lock);
    return !atomic_load(&observer->finished);
}

/* ---- the measure of the server ---- */

static void take_measure(const struct observer *observer, struct witness_reading *server,
                         struct machine_reading *machine, bool *has_server, bool *has_machine)
{
    *has_server = observer->watches && witness_read(&observer->witness, server) == 0;
    *has_machine = machine_read(machine) == 0;
}

static void begin(struct observer *observer)
{
    take_measure(observer, &observer->server_at_begin, &observer->machine_at_begin, &observer->has_server,
                 &observer->has_machine);
    observer->first_at = clock_ns();
}

static void end(struct observer *observer)
{
    bool server, machine;
    if (!observer->first_at || observer->last_at)
        return;
    take_measure(observer, &observer->server_at_end, &observer->machine_at_end, &server, &machine);
    observer->has_server = observer->has_server && server;
    observer->has_machine = observer->has_machine && machine;
    observer->last_at = clock_ns();
}

/* ---- the intervals ---- */

/* All generators have handed that one over: nobody writes to it any more. */
static bool is_complete(struct ledger *ledger, size_t index)
{
    return index < ledger->result->interval_count && ledger->handed_over[index] >= ledger->generators;
}

static bool wait_for_interval(struct observer *observer, size_t index)
{
    struct ledger *ledger = &observer->run->ledger;
    pthread_mutex_lock(&ledger->lock);
    while (!is_complete(ledger, index) && !atomic_load(&observer->finished))
        pthread_cond_wait(&ledger->handed, &ledger->lock);
    bool complete = is_complete(ledger, index);
    pthread_mutex_unlock(&ledger->lock);
    return complete;
}

/* A copy is shown, so that a terminal which blocks holds up nobody. */
static void tell(struct observer *observer, size_t index)
{
    const struct run *run = observer->run;
    struct ledger *ledger = &observer->run->ledger;
    if (!run->plan->second)
        return;
    pthread_mutex_lock(&ledger->lock);
    struct load_result so_far = *ledger->result;
    struct load_interval interval = ledger->result->intervals[index];
    pthread_mutex_unlock(&ledger->lock);
    int signal = run->plan->second(run->plan->context, &so_far, &interval);
    if (signal)
        signals_tell(run->server, signal);
}

/* Tells of each interval before `end` when it is complete; `*index` is the next. */
static void tell_until(struct observer *observer, size_t *index, size_t end)
{
    for (; *index < end && wait_for_interval(observer, *index); ++*index)
        tell(observer, *index);
}

static void *observe(void *context)
{
    struct observer *observer = context;
    struct run *run = observer->run;
    size_t index = 0, before = run->ledger.before, all = ledger_intervals(&run->ledger);
    while (!run_start(run))
        if (!sleep_until(observer, clock_ns() + LOOK))
            return NULL;
    tell_until(observer, &index, before > 0 ? before - 1 : 0);
    if (!sleep_until(observer, run_window(run)))
        return NULL;
    begin(observer);
    tell_until(observer, &index, all - 1);
    sleep_until(observer, run_end(run));
    end(observer);
    tell_until(observer, &index, all);
    return NULL;
}

int observer_start(struct observer *observer, struct run *run)
{
    *observer = (struct observer){.run = run};
    observer->watches = witness_open(&observer->witness, (const struct sockaddr *)&run->target.storage,
                                     run->target.length) == 0;
    int error = pthread_create(&observer->thread, NULL, observe, observer);
    if (!error)
        return 0;
    witness_close(&observer->witness);
    return fail_call("pthread_create", NULL, error);
}

/* A look at a thousand processes takes a while. What it saw is of the moment it looked, and of the window's
 * end at the latest: after that the server rests. */
static void judge_server(const struct observer *observer)
{
    struct load_limits *limits = &observer->run->result->limits;
    int64_t end = run_end(observer->run), until = observer->last_at < end ? observer->last_at : end;
    double seconds = (double)(until - observer->server_at_begin.at) / NS_PER_SECOND;
    double window = (double)(until - run_window(observer->run)) / NS_PER_SECOND;
    if (!observer->has_server || seconds <= 0)
        return;
    limits->server_busy = (observer->server_at_end.time - observer->server_at_begin.time) / seconds;
    limits->server_cpu = limits->server_busy * window;
    limits->server_processes = observer->server_at_end.processes;
}

void observer_stop(struct observer *observer)
{
    struct ledger *ledger = &observer->run->ledger;
    struct load_limits *limits = &observer->run->result->limits;
    pthread_mutex_lock(&ledger->lock);
    atomic_store(&observer->finished, true);
    pthread_cond_signal(&ledger->handed);
    pthread_mutex_unlock(&ledger->lock);
    pthread_join(observer->thread, NULL);
    end(observer);
    judge_server(observer);
    double total = observer->machine_at_end.total - observer->machine_at_begin.total;
    if (observer->has_machine && total > 0)
        limits->machine_idle = (observer->machine_at_end.idle - observer->machine_at_begin.idle) / total;
    witness_close(&observer->witness);
}
