/* A run, from the plan to the result. */
#include "base/error.h"
#include "engine/server.h"
#include "load/judge.h"
#include "load/observer.h"
#include "net/dial.h"
#include "net/lookup.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Descriptors beside the connections: the pollers', the report's, the standard ones. */
enum { OTHER_DESCRIPTORS = 64, PER_THREAD = 8 };

/* ---- addresses ---- */

static int find_sources(struct run *run)
{
    const struct load_plan *plan = run->plan;
    int status = 0;
    run->sources = calloc(plan->source_count + 1, sizeof *run->sources);
    if (!run->sources)
        return fail(PARLEY_RESOURCE, "no memory for %zu source addresses", plan->source_count);
    for (; run->source_count < plan->source_count && status == 0; run->source_count++)
        status = resolve_literal(plan->sources[run->source_count], &run->sources[run->source_count]);
    return status;
}

/* The first of a family, or of all where there is none of it. Returns how many there are of it. */
static size_t first_of(const struct address_list *list, int family, struct address *first)
{
    size_t count = 0;
    *first = list->items[0];
    for (size_t i = list->count; i-- > 0;)
        if (family == AF_UNSPEC || list->items[i].storage.ss_family == family) {
            *first = list->items[i];
            count++;
        }
    return count;
}

/* The one that a client would reach, which one connection finds out; a load goes to one address. */
static int try_addresses(const struct load_plan *plan, const struct endpoint *endpoint, int family,
                         struct address *target)
{
    struct dial_options how = {.family = family, .timeout = plan->connect_timeout, .cancel = -1};
    int fd = dial(endpoint, &how, target);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* Of a name's addresses, those that can be reached from the sources. */
static int find_target(struct run *run)
{
    const struct load_plan *plan = run->plan;
    int family = run->source_count > 0 ? run->sources[0].storage.ss_family : plan->family;
    struct patience patience = patience_start(plan->connect_timeout, -1);
    struct endpoint endpoint;
    struct address_list list;
    int status = endpoint_parse(&endpoint, plan->address);
    if (status == 0)
        status = lookup(&endpoint, plan->family, &patience, &list);
    if (status != 0)
        return status;
    size_t count = first_of(&list, family, &run->target);
    address_list_free(&list);
    return count <= 1 ? 0 : try_addresses(plan, &endpoint, family, &run->target);
}

static int check_families(const struct run *run)
{
    for (size_t i = 0; i < run->source_count; i++)
        if (run->sources[i].storage.ss_family != run->target.storage.ss_family)
            return fail(PARLEY_USAGE, "--source %s is of another family than %s", run->plan->sources[i],
                        run->plan->address);
    return 0;
}

/* ---- descriptors ---- */

static int raise_descriptors(const struct load_plan *plan)
{
    rlim_t needed =
        (rlim_t)plan->connections + plan->idle + OTHER_DESCRIPTORS + PER_THREAD * (rlim_t)plan->threads;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return 0;
    struct rlimit raised = {.rlim_cur = needed,
                            .rlim_max = limit.rlim_max < needed ? needed : limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return 0;
    return fail(PARLEY_RESOURCE,
                "%u connections need %llu open files, and this process may have %llu (ulimit -n, or "
                "LimitNOFILE)",
                plan->connections + plan->idle, (unsigned long long)needed,
                (unsigned long long)limit.rlim_max);
}

/* ---- the server that never listens ---- */

/* The name that is dialled; a number is found out by each connection. */
static int expect_name(parley_server *server, const char *address)
{
    struct endpoint endpoint;
    struct address number;
    int status = endpoint_parse(&endpoint, address);
    if (status < 0 || server->options.tls.server_name || endpoint.kind != ENDPOINT_INET)
        return status;
    if (!*endpoint.host)
        return parley_set(server, "server-name", "localhost");
    return resolve_number(&endpoint, AF_UNSPEC, &number) ? 0
                                                         : parley_set(server, "server-name", endpoint.host);
}

static int set_options(parley_server *server, const struct load_plan *plan)
{
    char threads[16], timeout[32];
    snprintf(threads, sizeof threads, "%u", plan->threads);
    snprintf(timeout, sizeof timeout, "%lldms", (long long)plan->connect_timeout);
    const char *const options[][2] = {
        {"model", plan->poller ? plan->poller : "epoll"},
        {"workers", threads},
        {"connect-timeout", timeout},
        {"signals", "on"},
        {"drain", "200ms"},
        {"linger", "200ms"},
        {"write-timeout", "0"},
        {"queue-max", "8GiB"}, /* who sends much before it reads must go on reading */
        {"high-water", "4GiB"},
        {"framing", plan->reply == REPLY_FRAMED ? plan->framing : "raw"},
    };
    int status = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options && status == 0; i++)
        status = parley_set(server, options[i][0], options[i][1]);
    for (size_t i = 0; i < plan->setting_count && status == 0; i++)
        status = parley_set(server, plan->settings[i].name, plan->settings[i].value);
    if (status == 0 && server->options.tls.dials)
        status = expect_name(server, plan->address);
    return status;
}

static int make_server(struct run *run)
{
    bool none = run->plan->reply == REPLY_NONE;
    run->server = parley_server_new(none ? &load_handler_without_replies : &load_handler);
    if (!run->server)
        return fail(PARLEY_RESOURCE, "no memory for the generator");
    parley_server_set_user(run->server, run);
    run->server->begin = generator_begin;
#ifndef __SANITIZE_THREAD__ /* which takes a number for the same descriptor in every thread */
    run->server->private_descriptors = true;
#endif
    return set_options(run->server, run->plan);
}

/* Each thread counts its descriptors from the lowest. */
static int check_poller(const struct run *run)
{
    const struct poller *poller = run->server->options.model.poller;
    unsigned all = run->plan->connections + run->plan->idle,
             most = (unsigned)poller->descriptors - PER_THREAD;
    if (poller->descriptors == 0 || (all - 1) / run->threads < most)
        return 0;
    return fail(PARLEY_USAGE,
                "%s takes descriptors below %d only: %u connections want -t %u, or another --poller",
                poller->name, poller->descriptors, all, (all - 1) / most + 1);
}

/* ---- opening and closing ---- */

static int open_generators(struct run *run)
{
    run->generators = calloc(run->threads, sizeof *run->generators);
    if (!run->generators || ledger_open(&run->ledger, run->result, run->threads,
                                        run->plan->ramp + run->plan->warmup, run->plan->duration) < 0)
        return fail(PARLEY_RESOURCE, "no memory for %u threads", run->threads);
    int status = 0;
    for (unsigned i = 0; i < run->threads && status == 0; i++)
        status = generator_open(&run->generators[i], run, i);
    return status;
}

static int open_run(struct run *run, const struct load_plan *plan, struct load_result *result)
{
    *run = (struct run){.plan = plan, .result = result, .threads = plan->threads};
    run->slot = plan->rate > 0 ? NS_PER_SECOND / plan->rate : 0;
    int status = raise_descriptors(plan);
    if (status == 0)
        status = find_sources(run);
    if (status == 0)
        status = find_target(run);
    if (status == 0)
        status = check_families(run);
    if (status == 0)
        status = messages_open(&run->messages, plan);
    if (status == 0)
        status = open_generators(run);
    if (status == 0)
        status = make_server(run);
    if (status == 0)
        status = check_poller(run);
    return status == 0 ? load_conditions_fill(&result->conditions, plan) : status;
}

static void close_run(struct run *run)
{
    for (unsigned i = 0; run->generators && i < run->threads; i++)
        generator_close(&run->generators[i]);
    if (run->generators)
        ledger_close(&run->ledger);
    parley_server_free(run->server);
    messages_close(&run->messages);
    free(run->generators);
    free(run->sources);
}

/* ---- the result ---- */

static void collect(struct run *run, struct generator *generator)
{
    struct load_result *result = run->result;
    struct load_limits *limits = &result->limits;
    ledger_settle(&run->ledger, &generator->tally);
    if (result->elapsed > 0) {
        double cpu = generator->cpu / result->elapsed;
        limits->stood_still = fmax(limits->stood_still, (double)generator->stood_still / NS_PER_SECOND);
        limits->generator_cpu = fmax(limits->generator_cpu, 0) + generator->cpu;
        limits->generator_busy = cpu > limits->generator_busy ? cpu : limits->generator_busy;
    }
    result->open_least += generator->open_least;
    result->open_most += generator->open_most;
    result->idle_held += generator->idle_held;
}

/* Until the end, or the signal that came before it. */
static double measured(const struct run *run)
{
    int64_t stopped = 0, window = run_window(run), end = run_end(run);
    for (unsigned i = 0; i < run->threads; i++)
        stopped = run->generators[i].stopped > stopped ? run->generators[i].stopped : stopped;
    return stopped <= window ? 0 : (double)((stopped < end ? stopped : end) - window) / NS_PER_SECOND;
}

/* When the window began, in the time of the wall. */
static double since(const struct run *run)
{
    struct timespec time;
    int64_t ago = run_start(run) ? clock_ns() - run_window(run) : 0;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)(time.tv_nsec - ago) / NS_PER_SECOND;
}

/* Of a run that was interrupted; those of the warm-up are told whole or not at all. */
static void shorten_last_interval(struct load_result *result)
{
    struct load_interval *last =
        result->interval_count > 0 ? &result->intervals[result->interval_count - 1] : NULL;
    if (last && last->start >= 0)
        last->length = result->elapsed > last->start ? result->elapsed - last->start : 0;
}

static void fill_result(struct run *run)
{
    struct load_result *result = run->result;
    const struct tls_policy *tls = &run->server->options.tls;
    result->resumed = tls->dials && tls->resumes ? 0 : -1;
    result->elapsed = measured(run);
    result->since = since(run);
    result->interrupted = atomic_load(&run->server->last_signal);
    for (unsigned i = 0; i < run->threads; i++)
        collect(run, &run->generators[i]);
    shorten_last_interval(result);
    if (run->slot == 0 && !run->plan->churn)
        histogram_add(&result->service, &result->response);
    load_judge(result, run->plan);
}

static int fail_unreached(const struct run *run)
{
    for (unsigned i = 0; i < run->threads; i++) {
        const struct load_faults *faults = run->generators[i].tally.faults;
        if (*faults[FAULT_LOCAL].first)
            return fail(PARLEY_RESOURCE, "%s", faults[FAULT_LOCAL].first);
        if (*faults[FAULT_CONNECT].first)
            return fail(strstr(faults[FAULT_CONNECT].first, "timed out") ? PARLEY_TIMEOUT : PARLEY_NETWORK,
                        "%s", faults[FAULT_CONNECT].first);
    }
    return fail(PARLEY_NETWORK, "%s: nobody was reached", run->plan->address);
}

static int observe_and_run(struct run *run)
{
    struct observer observer;
    int status = observer_start(&observer, run);
    if (status < 0)
        return status;
    status = parley_run(run->server);
    observer_stop(&observer);
    if (status == 0 && atomic_load(&run->hopeless))
        return fail_unreached(run);
    if (status >= 0)
        fill_result(run);
    return status < 0 ? status : 0;
}

int load_run(const struct load_plan *plan, struct load_result *result)
{
    struct run run;
    int status = open_run(&run, plan, result);
    if (status == 0)
        status = observe_and_run(&run);
    close_run(&run);
    return status;
}
