#include "engine/worker.h"
#include "base/error.h"
#include "base/sanitized.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include "engine/dialling.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "supervise/notify.h"
#include "supervise/signals.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The loop this thread runs: what a forked child has to leave behind. */
static _Thread_local struct loop *this_loop;

enum { THREAD_STACK = 256 << 10 };

/* ---- running ---- */

static bool is_own_client(const struct worker *worker)
{
    return worker->fd >= 0;
}

void worker_log_opened(struct loop *loop, const parley_conn *conn)
{
    const struct worker *worker = loop->worker;
    if (conn->guest && conn->dialled)
        log_line(&loop->log, LOG_DETAIL, parley_peer(conn), "reached");
    if (conn->guest || !log_wants(&loop->log, LOG_OPENED))
        return;
    const char *via = parley_via(conn);
    char how[ADDRESS_TEXT + 20];
    snprintf(how, sizeof how, "%s%s%s", conn->dialled ? "reached" : "connected", *via ? " via " : "", via);
    if (!is_own_client(worker))
        log_line(&loop->log, LOG_OPENED, parley_peer(conn), "%s", how);
    else if (worker->is_process)
        log_line(&loop->log, LOG_OPENED, parley_peer(conn), "%s: process %d serves it", how, (int)getpid());
    else
        log_line(&loop->log, LOG_OPENED, parley_peer(conn), "%s: thread %d serves it", how, (int)gettid());
}

static void publish(struct worker *worker, struct loop *loop)
{
    pthread_mutex_lock(&worker->server->lock);
    worker->loop = loop;
    pthread_mutex_unlock(&worker->server->lock);
    this_loop = loop;
}

struct loop *loop_of_first_worker(const struct parley_server *server)
{
    bool is_mine = this_loop && this_loop->server == server && this_loop->worker->index == 0;
    return is_mine ? this_loop : NULL;
}

static int take_up_work(struct loop *loop, struct worker *worker)
{
    if (is_own_client(worker)) {
        int fd = worker->fd;
        loop_admit(loop, fd, (struct sockaddr *)&worker->peer.storage, worker->door);
        return 0;
    }
    int status = worker->is_here ? supervise_from(loop) : 0;
    if (status == 0)
        status = accepting_open(loop);
    if (status == 0)
        status = dialling_start(loop);
    return status == 0 && loop->server->begin ? loop->server->begin(loop) : status;
}

static int open_up(struct loop *loop, struct worker *worker)
{
    struct parley_server *server = worker->server;
    int status = loop_open(loop, worker);
    if (status < 0 || !server->settled || is_own_client(worker) ||
        !server->options.model.placement->processes)
        return status;
    return server->settled(server, loop->hands_over);
}

int worker_run(struct worker *worker)
{
    struct loop loop;
    bool is_apart = worker->server->private_descriptors && unshare(CLONE_FILES) == 0;
    int status = open_up(&loop, worker);
    if (status == 0) {
        if (!is_apart)
            publish(worker, &loop);
        status = take_up_work(&loop, worker);
        if (status == 0)
            loop_run(&loop);
        publish(worker, NULL);
    } else if (is_own_client(worker)) {
        sys.close(worker->fd);
    }
    if (status < 0) {
        log_line(&loop.log, LOG_FAULT, NULL, "worker %u: %s", worker->index, parley_error());
        if (!is_own_client(worker) && !worker->server->restarted)
            server_failed(worker->server, status);
    }
    loop_close(&loop);
    return status;
}

/* ---- starting ---- */

static bool is_taken(const struct parley_server *server, unsigned index)
{
    const struct worker *worker = server->workers;
    while (worker && worker->index != index)
        worker = worker->next;
    return worker != NULL;
}

/* Indexes that no worker has. The lowest are for workers that serve the listeners: */
static unsigned index_of_listening(const struct parley_server *server)
{
    unsigned index = 0;
    while (is_taken(server, index))
        index++;
    return index;
}

/* those from worker_total on go round among workers that serve one client each. */
static unsigned next_index(struct parley_server *server)
{
    do {
        if (++server->last_index < server->worker_total)
            server->last_index = server->worker_total;
        if (server->last_index >= MOST_INDEXES) {
            server->last_index = server->worker_total;
            server->laps = (server->laps + 1) % GENERATIONS;
        }
    } while (is_taken(server, server->last_index));
    return server->last_index;
}

/* Makes a worker and lists it; under server->lock. */
static struct worker *worker_new(struct parley_server *server, const struct visitor *visitor, bool is_process)
{
    struct worker *worker = sys.calloc(1, sizeof *worker);
    if (!worker)
        return NULL;
    worker->server = server;
    worker->fd = visitor ? visitor->fd : -1;
    worker->door = visitor ? visitor->door : NULL;
    worker->is_process = is_process;
    atomic_store(&worker->cancel, -1);
    worker->started_at = sys.now();
    worker->index = is_own_client(worker) ? next_index(server) : index_of_listening(server);
    worker->generation = server->laps + 1;
    if (visitor && visitor->peer)
        memcpy(&worker->peer.storage, visitor->peer, sizeof worker->peer.storage);
    worker->next = server->workers;
    server->workers = worker;
    if (is_own_client(worker))
        atomic_fetch_add(&worker->door->crowd->clients, 1);
    atomic_fetch_add(&server->accepting, !is_own_client(worker) && !is_process);
    return worker;
}

void worker_forget(struct worker **place)
{
    struct worker *worker = *place;
    *place = worker->next;
    if (is_own_client(worker))
        atomic_fetch_sub(&worker->door->crowd->clients, 1);
    sys.free(worker);
}

static void *thread_main(void *context)
{
    struct worker *worker = context;
    worker_run(worker);
    atomic_store(&worker->ended, true);
    server_wake(worker->server);
    return NULL;
}

/* The supervisor's thread takes the signals; a worker is interrupted by SIGURG alone. */
static int create_thread(struct worker *worker)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    if (is_own_client(worker))
        pthread_attr_setstacksize(&attributes, THREAD_STACK);
    sigfillset(&all);
    sigdelset(&all, SIGURG);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = sys.pthread_create(&worker->thread, &attributes, thread_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

int worker_start_thread(struct parley_server *server, const struct visitor *visitor)
{
    int error = ENOMEM;
    pthread_mutex_lock(&server->lock);
    struct worker *worker = worker_new(server, visitor, false);
    if (worker && (error = create_thread(worker)) != 0) {
        atomic_fetch_sub(&server->accepting, !is_own_client(worker));
        worker_forget(&server->workers);
    }
    pthread_mutex_unlock(&server->lock);
    errno = error;
    return error ? -1 : 0;
}

int worker_start_only(struct parley_server *server)
{
    /* The caller's thread keeps its table of descriptors, and keeps watch. */
    if (server->options.model.poller->deaf || server->private_descriptors || server->options.watchdog)
        return worker_start_thread(server, NULL);
    pthread_mutex_lock(&server->lock);
    struct worker *worker = worker_new(server, NULL, false);
    if (worker) {
        worker->thread = pthread_self();
        worker->is_here = true;
    }
    pthread_mutex_unlock(&server->lock);
    errno = ENOMEM;
    return worker ? 0 : -1;
}

/* ---- processes ---- */

/* _exit(2) looks for no leaks, so a worker asks for it where AddressSanitizer is. Not one that was forked by
 * a thread beside the first: what the first one's stack alone points to would seem leaked. */
void __lsan_do_leak_check(void) __attribute__((weak));

static void look_for_leaks(bool first_thread_forked)
{
    if (IS_SANITIZED && __lsan_do_leak_check && first_thread_forked)
        __lsan_do_leak_check();
}

static void child_main(struct worker *worker, pid_t supervisor, pid_t forker)
{
    struct loop *parent = this_loop;
    this_loop = NULL;
    signals_of_worker(&worker->stop, WORKER_DRAINS);
    if (worker->server->reloadables)
        signals_of_reload(is_own_client(worker) ? NULL : &worker->server->reload_asked);
    /* A supervisor that was killed must not leave workers behind that nobody can stop. The signal comes when
     * the thread that forked ends: the acceptor's, whose end is a stop anyway. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervisor)
        _exit(0);
    /* Only where there is one: what a child writes to is copied, and the list may be long. */
    for (struct worker *other = worker->server->workers; other; other = other->next)
        if (other->loop)
            other->loop = NULL;
    pthread_mutex_unlock(&worker->server->lock);
    if (parent)
        loop_forget(parent);
    notify_close(worker->server);
    if (is_own_client(worker))
        server_close_listeners(worker->server);
    else
        atomic_store(&worker->server->accepting, 1);
    int status = worker_run(worker);
    fflush(stdout);
    fflush(stderr);
    look_for_leaks(forker == supervisor);
    _exit(parley_exit_code(status));
}

int worker_start_process(struct parley_server *server, const struct visitor *visitor)
{
    pid_t supervisor = getpid(), forker = gettid(), pid = -1;
    /* What stdio still holds would be written twice. */
    fflush(stdout);
    pthread_mutex_lock(&server->lock);
    struct worker *worker = worker_new(server, visitor, true);
    if (worker && (pid = sys.fork()) == 0)
        child_main(worker, supervisor, forker);
    int error = worker ? errno : ENOMEM;
    if (pid > 0)
        worker->pid = pid;
    else if (worker)
        worker_forget(&server->workers);
    pthread_mutex_unlock(&server->lock);
    if (pid > 0 && visitor)
        sys.close(visitor->fd);
    errno = error;
    return pid > 0 ? 0 : -1;
}

void workers_look_again(struct parley_server *server)
{
    for (struct worker *worker = server->workers; worker; worker = worker->next)
        if (worker->loop && !is_own_client(worker)) {
            if (worker->loop->poller->deaf)
                pthread_kill(worker->thread, SIGURG);
            else
                mailbox_ring(&worker->loop->mailbox);
        }
}

void worker_interrupt(struct worker *worker, enum worker_stop stop)
{
    if (worker->is_process) {
        kill(worker->pid, stop == WORKER_ABORT ? SIGKILL : SIGTERM);
        return;
    }
    atomic_store(&worker->stop, stop);
    int cancel = atomic_load(&worker->cancel);
    if (cancel >= 0)
        eventfd_write(cancel, 1); /* a blocking dial sleeps on it */
    if (!atomic_load(&worker->ended))
        pthread_kill(worker->thread, SIGURG);
}
