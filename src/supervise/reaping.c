/* Workers that have ended: threads are joined, processes reaped, and those that crashed are to come back. */
#include "base/log.h"
#include "base/sys.h"
#include "engine/server.h"
#include "limit/census.h"
#include "limit/crowd.h"
#include "supervise/supervise.h"
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

/* ms: a worker that ran so long starts with the first delay again */
enum { SETTLED = 10000 };

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
    int64_t delay = 2 * supervision->restart_delay;
    supervision->restart_delay = delay < LAST_RESTART ? delay : LAST_RESTART;
}

static struct worker **place_of(parley_server *server, pid_t pid)
{
    struct worker **place = &server->workers;
    while (*place && !((*place)->is_process && (*place)->pid == pid))
        place = &(*place)->next;
    return *place ? place : NULL;
}

/* A process that has ended and is ours: 0 if there is none, -1 if we have no child at all. Looks before it
 * reaps, since children of the host program are not ours to reap. */
static pid_t next_ended(parley_server *server)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return -1;
    if (info.si_pid == 0 || place_of(server, info.si_pid))
        return info.si_pid;
    /* The host's child stands in front of ours: ask for each of ours. */
    for (struct worker *worker = server->workers; worker; worker = worker->next) {
        info.si_pid = 0;
        if (worker->is_process && waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid)
            return worker->pid;
    }
    return 0;
}

/* What it had in what is counted together: one that was killed could not say that its clients have left. */
static void give_back(parley_server *server, const struct worker *worker)
{
    if (serves_listeners(worker)) {
        crowd_bury(server, worker->index);
        atomic_store(&server->shared->shares[worker->index].holds, 0);
    }
    if (server->census)
        census_bury(server->census, worker->index);
}

static void take_leave(struct supervision *supervision, struct worker **place)
{
    parley_server *server = supervision->server;
    give_back(server, *place);
    if (serves_listeners(*place) && !supervision->stop_at && !atomic_load(&server->shared->failed))
        plan_restart(supervision, *place);
    worker_forget(place);
}

static void reap_one(struct supervision *supervision, struct worker **place)
{
    int how = 0;
    while (waitpid((*place)->pid, &how, 0) < 0 && errno == EINTR)
        continue;
    say_reaped(supervision, *place, how);
    take_leave(supervision, place);
}

/* The host program waits for any child, or has SIGCHLD ignored: how it ended nobody tells. */
static bool is_reaped_elsewhere(const struct worker *worker)
{
    siginfo_t info;
    return worker->is_process && waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
           errno == ECHILD;
}

static void forget_reaped_elsewhere(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    for (struct worker **place = &server->workers; *place;) {
        if (!is_reaped_elsewhere(*place)) {
            place = &(*place)->next;
            continue;
        }
        log_line(&server->log, LOG_FAULT, NULL, "process %d has ended, and this program reaped it before us",
                 (int)(*place)->pid);
        take_leave(supervision, place);
    }
}

/* To ask for each costs a call for each: it is done where the kernel knows of no child, and at a stop, which
 * would wait for ever. */
static void reap_processes(struct supervision *supervision)
{
    struct worker **place;
    pid_t pid;
    while ((pid = next_ended(supervision->server)) > 0 && (place = place_of(supervision->server, pid)))
        reap_one(supervision, place);
    if (pid < 0 || supervision->stop_at)
        forget_reaped_elsewhere(supervision);
}

static void join_threads(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    for (struct worker **place = &server->workers; *place;) {
        struct worker *worker = *place;
        if (worker->is_process || !atomic_load(&worker->ended)) {
            place = &worker->next;
            continue;
        }
        pthread_join(worker->thread, NULL);
        if (!serves_listeners(worker))
            log_line(&server->log, LOG_DETAIL, NULL, "thread of worker %u has ended and is joined",
                     worker->index);
        worker_forget(place);
    }
}

void reap(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    pthread_mutex_lock(&server->lock);
    unsigned before = crowd_clients(server);
    if (server->options.model.placement->processes)
        reap_processes(supervision);
    join_threads(supervision);
    if (crowd_clients(server) < before)
        workers_look_again(server);
    pthread_mutex_unlock(&server->lock);
}
