/* The supervisor: the thread that called parley_run(). It takes the signals, reaps what has ended, starts
 * again what crashed, and stops everything. Workers never wait for it. */
#include "engine/error.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "engine/sys.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FIRST_KICK = 10, /* ms between the interrupts of a stopping worker, doubling to */
    LAST_KICK = 200,
    GRACE = 2000,        /* ms beyond the drain deadline before a worker is taken for stuck */
    FIRST_RESTART = 100, /* ms until a crashed worker is started again, doubling to */
    LAST_RESTART = 10000,
    SETTLED = 10000 /* a worker that ran so long starts with the first delay again */
};

struct supervision {
    struct parley_server *server;
    int64_t stop_at; /* when the stop began; 0: running */
    int64_t kick, restart_delay, restart_at;
    unsigned missing; /* crashed workers to start again */
    bool aborted;
};

/* Signals name no server: they mean the one whose parley_run() installed them last. */
static parley_server *signalled;

static const int caught[] = {SIGTERM, SIGINT, SIGCHLD, SIGURG};
enum { CAUGHT = sizeof caught / sizeof *caught };

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
    atomic_store(&server->stopping, true);
    server_wake(server);
}

int server_failed(parley_server *server, int status)
{
    int none = PARLEY_OK;
    if (atomic_compare_exchange_strong(&server->shared->failed, &none, status))
        snprintf(server->shared->failure, sizeof server->shared->failure, "%s", parley_error());
    return status;
}

/* ---- signals ---- */

static void on_signal(int signal)
{
    parley_server *server = signalled;
    if (!server)
        return;
    if (signal != SIGCHLD) {
        atomic_fetch_add(&server->signals_seen, 1);
        atomic_store(&server->last_signal, signal);
    }
    server_wake(server);
}

/* SIGURG carries nothing: its arrival ends the system call a worker sleeps in. Its default is to be ignored,
 * so nobody else misses it. */
static void on_interrupt(int signal)
{
    (void)signal;
}

static bool is_needed(const parley_server *server, int signal)
{
    return signal == SIGURG || signal == SIGCHLD || server->options.signals;
}

static void take_signals(parley_server *server, struct sigaction *before)
{
    sigset_t mine;
    sigemptyset(&mine);
    signalled = server;
    for (int i = 0; i < CAUGHT; i++) {
        struct sigaction action = {.sa_handler = caught[i] == SIGURG ? on_interrupt : on_signal};
        if (caught[i] != SIGURG)
            action.sa_flags = SA_RESTART;
        if (!is_needed(server, caught[i]))
            continue;
        sigaction(caught[i], &action, &before[i]);
        sigaddset(&mine, caught[i]);
    }
    /* Whoever started us may have left them blocked. */
    pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
}

static void give_back_signals(const parley_server *server, const struct sigaction *before)
{
    for (int i = 0; i < CAUGHT; i++)
        if (is_needed(server, caught[i]))
            sigaction(caught[i], &before[i], NULL);
    signalled = NULL;
}

/* ---- what has ended ---- */

static bool serves_listeners(const struct worker *worker)
{
    return worker->fd < 0;
}

static void say_reaped(struct supervision *supervision, const struct worker *worker, int how)
{
    struct log *log = &supervision->server->log;
    bool crashed = WIFSIGNALED(how);
    if (crashed)
        log_line(log, LOG_FAULT, NULL, "process %d was killed by signal %d (%s)", (int)worker->pid,
                 WTERMSIG(how), strsignal(WTERMSIG(how)));
    else
        log_line(log, LOG_WORKER, NULL, "process %d has ended and is reaped (exit code %d)", (int)worker->pid,
                 WEXITSTATUS(how));
}

static void plan_restart(struct supervision *supervision, const struct worker *worker)
{
    int64_t now = sys.now();
    if (now - worker->started_at >= SETTLED)
        supervision->restart_delay = FIRST_RESTART;
    if (supervision->missing++ == 0)
        supervision->restart_at = now + supervision->restart_delay;
    if (supervision->restart_delay < LAST_RESTART)
        supervision->restart_delay *= 2;
}

/* Whether the worker has ended: reaps it, and says so. */
static bool reap(struct supervision *supervision, struct worker *worker)
{
    int how = 0;
    if (!worker->is_process) {
        if (!atomic_load(&worker->ended))
            return false;
        pthread_join(worker->thread, NULL);
        if (!serves_listeners(worker))
            log_line(&supervision->server->log, LOG_DETAIL, NULL,
                     "thread of worker %u has ended and is joined", worker->index);
        return true;
    }
    pid_t pid = waitpid(worker->pid, &how, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return false;
    if (pid > 0)
        say_reaped(supervision, worker, how);
    if (serves_listeners(worker) && !supervision->stop_at &&
        !atomic_load(&supervision->server->shared->failed))
        plan_restart(supervision, worker);
    return true;
}

static void reap_all(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    pthread_mutex_lock(&server->lock);
    for (struct worker **place = &server->workers; *place;) {
        if (reap(supervision, *place))
            worker_forget(server, place);
        else
            place = &(*place)->next;
    }
    pthread_mutex_unlock(&server->lock);
}

static void restart_missing(struct supervision *supervision)
{
    struct parley_server *server = supervision->server;
    if (supervision->missing == 0 || supervision->stop_at || sys.now() < supervision->restart_at)
        return;
    log_line(&server->log, LOG_FAULT, NULL, "starting %u worker%s again", supervision->missing,
             supervision->missing == 1 ? "" : "s");
    while (supervision->missing > 0 && worker_start_process(server, -1, NULL) == 0)
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
    if (supervision->kick < LAST_KICK)
        supervision->kick *= 2;
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

static void supervise(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    uint64_t woken;
    while (!is_over(supervision)) {
        struct pollfd wake = {.fd = server->wake, .events = POLLIN};
        if (poll(&wake, 1, (int)patience(supervision)) > 0 && read(server->wake, &woken, sizeof woken) < 0)
            continue;
        reap_all(supervision);
        bool failed = atomic_load(&server->shared->failed) && server->bound_count > 0;
        if (atomic_load(&server->signals_seen) > 0 || failed)
            atomic_store(&server->stopping, true);
        if (atomic_load(&server->stopping) && !supervision->stop_at)
            begin_stop(supervision);
        if (supervision->stop_at)
            watch_stop(supervision);
        else
            restart_missing(supervision);
    }
}

/* ---- parley_run ---- */

static void say_started(const parley_server *server, struct log *log)
{
    const struct model *model = &server->options.model;
    const char *name = server->handler->name ? server->handler->name : "a service";
    for (size_t i = 0; i < server->bound_count; i++)
        log_line(log, LOG_SERVER, NULL, "%s listens on %s, model %s+%s, %u worker%s", name,
                 server->bounds[i].text, model->placement->name, model->poller->name, server->worker_total,
                 server->worker_total == 1 ? "" : "s");
}

static int start_workers(parley_server *server)
{
    const struct placement *placement = server->options.model.placement;
    server->worker_total = server_workers(server);
    int status = server_open_copies(server);
    if (status < 0)
        return status;
    if (placement->start(server) < 0) {
        status = fail_call(placement->processes && !placement->per_client ? "fork" : "pthread_create", NULL,
                           errno);
        parley_stop(server); /* those that did start */
        server_failed(server, status);
    }
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

int parley_run(parley_server *server)
{
    struct supervision supervision = {.server = server, .restart_delay = FIRST_RESTART};
    struct sigaction before[CAUGHT];
    int status = server_check(server);
    if (status < 0)
        return status;
    log_open(&server->log, server->options.log, server->options.verbosity);
    log_share(&server->log, &server->shared->log);
    take_signals(server, before);
    status = start_workers(server);
    if (status == 0) {
        say_started(server, &server->log);
        supervise(&supervision);
        status = verdict(&supervision);
        unsigned long long accepted = atomic_load(&server->shared->accepted);
        if (server->bound_count > 0)
            log_line(&server->log, LOG_SERVER, NULL, "stopped after %llu connection%s", accepted,
                     accepted == 1 ? "" : "s");
    }
    give_back_signals(server, before);
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
