/* The supervisor: the thread that called parley_run(). It takes the signals, reaps what has ended, starts
 * again what crashed, and stops everything. Workers never wait for it. */
#include "supervise/supervise.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/secure.h"
#include "engine/server.h"
#include "supervise/notify.h"
#include "supervise/reload.h"
#include "supervise/signals.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
    FIRST_KICK = 10, /* ms between the interrupts of a stopping worker, doubling to */
    LAST_KICK = 200,
    GRACE = 2000 /* ms beyond the drain deadline before a worker is taken for stuck */
};

void server_wake(const parley_server *server)
{
    uint64_t one = 1;
    int before = errno;
    while (write(server->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    errno = before;
}

void parley_stop(parley_server *server)
{
    atomic_store(&server->shared->stopping, true);
    server_wake(server);
}

int server_failed(parley_server *server, int status)
{
    int none = PARLEY_OK;
    if (atomic_compare_exchange_strong(&server->shared->failed, &none, status))
        snprintf(server->shared->failure, sizeof server->shared->failure, "%s", parley_error());
    server_wake(server);
    return status;
}

/* ---- starting again ---- */

static void restart_missing(struct supervision *supervision)
{
    struct parley_server *server = supervision->server;
    if (supervision->missing == 0 || supervision->stop_at || sys.now() < supervision->restart_at)
        return;
    log_line(&server->log, LOG_FAULT, NULL, "starting %u worker%s again", supervision->missing,
             supervision->missing == 1 ? "" : "s");
    server->restarted = true;
    while (supervision->missing > 0 && worker_start_process(server, NULL) == 0)
        supervision->missing--;
    if (supervision->missing > 0) {
        log_line(&server->log, LOG_FAULT, NULL, "fork: %s", reason_of("fork", errno));
        supervision->restart_at = sys.now() + supervision->restart_delay;
    }
}

/* ---- stopping ---- */

static void begin_stop(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    supervision->stop_at = sys.now();
    supervision->kick = FIRST_KICK;
    supervision->missing = 0;
    if (atomic_load(&server->accepting) == 0)
        server_close_listeners(server); /* the workers, processes, have their own copies */
    notify_stopping(server);
    if (server->bound_count > 0)
        log_line(&server->log, LOG_SERVER, NULL, "stopping: no more clients; those here have %g s to finish",
                 (double)server->options.drain / 1000);
}

static void interrupt_all(struct supervision *supervision, enum worker_stop stop)
{
    pthread_mutex_lock(&supervision->server->lock);
    for (struct worker *worker = supervision->server->workers; worker; worker = worker->next)
        worker_interrupt(worker, stop);
    pthread_mutex_unlock(&supervision->server->lock);
}

static void watch_stop(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    int64_t waited = sys.now() - supervision->stop_at;
    bool stuck = waited > server->options.drain + GRACE;
    supervision->aborted = supervision->aborted || stuck || atomic_load(&server->signals_seen) > 1;
    interrupt_all(supervision, supervision->aborted ? WORKER_ABORT : WORKER_DRAINS);
    int64_t kick = 2 * supervision->kick;
    supervision->kick = kick < LAST_KICK ? kick : LAST_KICK;
}

static bool is_over(struct supervision *supervision)
{
    pthread_mutex_lock(&supervision->server->lock);
    bool over = supervision->server->workers == NULL && supervision->missing == 0;
    pthread_mutex_unlock(&supervision->server->lock);
    return over;
}

static int64_t patience(const struct supervision *supervision)
{
    if (supervision->stop_at)
        return supervision->kick;
    if (supervision->missing == 0)
        return -1;
    int64_t wait = supervision->restart_at - sys.now();
    return wait > 0 ? wait : 0;
}

static void read_again(parley_server *server)
{
    notify_reloading(server);
    reload_all(server);
    notify_ready(server);
}

/* What has happened since the last look? */
static void look(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    reap(supervision);
    if (atomic_exchange(&server->reload_asked, false))
        read_again(server);
    bool failed = atomic_load(&server->shared->failed) && server->bound_count > 0;
    if (atomic_load(&server->signals_seen) > 0 || failed)
        atomic_store(&server->shared->stopping, true);
    if (atomic_load(&server->shared->stopping) && !supervision->stop_at)
        begin_stop(supervision);
    if (supervision->stop_at)
        watch_stop(supervision);
    else
        restart_missing(supervision);
    notify_alive(supervision);
}

static void woken(struct loop *loop, struct watch *watch)
{
    uint64_t count;
    if (read(watch->fd, &count, sizeof count) > 0)
        look(loop->server->supervision);
}

int supervise_from(struct loop *loop)
{
    loop->supervisor = (struct watch){.fd = loop->server->wake, .readable = woken};
    return loop_watch(loop, &loop->supervisor);
}

/* The one that runs here, or NULL. An acceptor may be starting others already. */
static struct worker *worker_here(parley_server *server)
{
    pthread_mutex_lock(&server->lock);
    struct worker *worker = server->workers;
    pthread_mutex_unlock(&server->lock);
    return worker && worker->is_here ? worker : NULL;
}

static void run_here(parley_server *server, struct worker *worker)
{
    worker_run(worker);
    pthread_mutex_lock(&server->lock);
    worker_forget(&server->workers);
    pthread_mutex_unlock(&server->lock);
}

static void supervise(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    uint64_t count;
    struct worker *here = worker_here(server);
    if (here)
        run_here(server, here);
    while (!is_over(supervision)) {
        struct pollfd wake = {.fd = server->wake, .events = POLLIN};
        int64_t wait = notify_patience(supervision, patience(supervision));
        if (poll(&wake, 1, (int)wait) > 0 && read(server->wake, &count, sizeof count) < 0)
            continue;
        look(supervision);
    }
}

/* ---- parley_run ---- */

/* "2 workers", or what serves each client. */
static void describe_workers(const parley_server *server, char *text, size_t size)
{
    const struct placement *placement = server->options.model.placement;
    if (placement->per_client)
        snprintf(text, size, "a %s per client", placement->processes ? "process" : "thread");
    else if (placement->limit == 1)
        snprintf(text, size, "one client after another");
    else
        snprintf(text, size, "%u worker%s", server->worker_total, server->worker_total == 1 ? "" : "s");
}

/* Before the workers start, whose clients are told of next. */
static void say_start(const parley_server *server, struct log *log)
{
    const struct model *model = &server->options.model;
    const char *name = server->handler->name ? server->handler->name : "a service";
    char workers[32];
    describe_workers(server, workers, sizeof workers);
    for (size_t i = 0; i < server->bound_count; i++)
        log_line(log, LOG_SERVER, NULL, "%s listens on %s, model %s+%s, %s", name, server->bounds[i].text,
                 model->placement->name, model->poller->name, workers);
    if (*secure_story(server))
        log_line(log, LOG_SERVER, NULL, "%s", secure_story(server));
}

static int start_workers(parley_server *server)
{
    const struct placement *placement = server->options.model.placement;
    server->worker_total = server_workers(server);
    int status = server_open_copies(server);
    if (status < 0)
        return status;
    notify_open(server);
    if (server->listening && (status = server->listening(server)) < 0)
        return status;
    say_start(server, &server->log);
    if (placement->start(server) < 0) {
        status = fail_call(placement->processes && !placement->per_client ? "fork" : "pthread_create", NULL,
                           errno);
        parley_stop(server); /* those that did start */
        server_failed(server, status);
        return 0;
    }
    notify_ready(server);
    return 0;
}

static int verdict(const struct supervision *supervision)
{
    const parley_server *server = supervision->server;
    int failed = atomic_load(&server->shared->failed);
    if (failed < 0)
        return fail(failed, "%s", server->shared->failure);
    if (supervision->aborted && atomic_load(&server->signals_seen) > 1)
        return 128 + atomic_load(&server->last_signal);
    return PARLEY_OK;
}

/* What is read and made before there are workers. */
static int prepare(parley_server *server)
{
    int status = access_open(server);
    if (status == 0)
        status = limits_open(server);
    if (status < 0)
        return status;
    log_open(&server->log, server->options.log, server->options.verbosity);
    log_share(&server->log, &server->shared->log);
    return secure_open(server);
}

int parley_run(parley_server *server)
{
    struct supervision supervision = {.server = server, .restart_delay = FIRST_RESTART};
    sigset_t mask;
    int status = doors_settle(server);
    if (status == 0)
        status = parley_check(server);
    if (status < 0)
        return status;
    if (server->bound_count == 0 && server->dial_count == 0 && !server->begin)
        return fail(PARLEY_USAGE, "nothing to run: no address to listen on, and none to dial");
    status = prepare(server);
    if (status == 0)
        status = signals_take(server, &mask);
    if (status < 0)
        return status;
    server->supervision = &supervision;
    status = start_workers(server);
    if (status == 0) {
        supervise(&supervision);
        status = verdict(&supervision);
        unsigned long long accepted = atomic_load(&server->shared->accepted);
        if (server->bound_count > 0)
            log_line(&server->log, LOG_SERVER, NULL, "stopped after %llu connection%s", accepted,
                     accepted == 1 ? "" : "s");
    }
    signals_give_back(server, &mask);
    notify_close(server);
    server->supervision = NULL;
    log_flush(&server->log);
    return status;
}

int parley_serve(const parley_handler *handler, const char *address, const char *model)
{
    parley_server *server = parley_server_new(handler);
    int status = server ? parley_set(server, "signals", "on") : PARLEY_RESOURCE;
    if (status == 0 && model)
        status = parley_set(server, "model", model);
    if (status == 0)
        status = parley_listen(server, address);
    if (status == 0)
        status = parley_run(server);
    if (status < 0)
        fprintf(stderr, "%s: %s\n", handler->name ? handler->name : "parley", parley_error());
    parley_server_free(server);
    return parley_exit_code(status);
}
