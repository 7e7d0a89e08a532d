#include "supervise/reload.h"
#include "base/log.h"
#include "engine/server.h"
#include "supervise/signals.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void let_go(struct reading *reading)
{
    if (reading && atomic_fetch_sub(&reading->holders, 1) == 1)
        reading->free(reading);
}

void reload_add(parley_server *server, struct reloadable *reloadable)
{
    reloadable->next = server->reloadables;
    server->reloadables = reloadable;
}

int reload_read(parley_server *server, struct reloadable *reloadable)
{
    struct reading *fresh = NULL;
    int status = reloadable->read(server, reloadable, &fresh);
    if (status < 0)
        return status;
    atomic_store(&fresh->holders, 1);
    pthread_mutex_lock(&server->lock);
    struct reading *before = reloadable->latest;
    reloadable->latest = fresh;
    atomic_fetch_add(&reloadable->number, 1);
    pthread_mutex_unlock(&server->lock);
    let_go(before);
    return 0;
}

struct reading *reload_latest(parley_server *server, struct reloadable *reloadable, struct held *held)
{
    if (atomic_load(&reloadable->number) == held->number)
        return held->reading;
    struct reading *before = held->reading;
    pthread_mutex_lock(&server->lock);
    held->number = atomic_load(&reloadable->number);
    held->reading = reloadable->latest;
    atomic_fetch_add(&held->reading->holders, 1);
    pthread_mutex_unlock(&server->lock);
    let_go(before);
    return held->reading;
}

void reload_let_go(struct held *held)
{
    let_go(held->reading);
    *held = (struct held){0};
}

/* ---- SIGHUP ---- */

enum { NAMES = 256, SENTENCE = 640, FAILURES = 1024 };

static void add(char *text, size_t room, const char *between, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, room - used, "%s%s", used ? between : "", more);
}

/* How many could not be read. All that came of one signal is a line, as the log has but one of a kind a
 * second. */
static unsigned read_again(parley_server *server, struct log *log, bool says_so)
{
    char good[NAMES] = "", failures[FAILURES] = "", sentence[SENTENCE];
    unsigned failed = 0;
    for (struct reloadable *each = server->reloadables; each; each = each->next) {
        if (reload_read(server, each) < 0) {
            snprintf(sentence, sizeof sentence, "%s; %s stay as they were", parley_error(), each->what);
            add(failures, sizeof failures, "; and ", sentence);
            failed++;
        } else if (!strstr(good, each->what)) { /* of each listener they have the same name */
            add(good, sizeof good, " and ", each->what);
        }
    }
    if (*failures)
        log_line(log, LOG_UNREAD, NULL, "%s", failures);
    if (*good && says_so)
        log_line(log, LOG_RELOAD, NULL, "%s have been read again", good);
    return failed;
}

static void tell_processes(parley_server *server)
{
    pthread_mutex_lock(&server->lock);
    for (struct worker *worker = server->workers; worker; worker = worker->next)
        if (worker->is_process && worker->fd < 0)
            kill(worker->pid, SIGHUP);
    pthread_mutex_unlock(&server->lock);
}

void reload_all(parley_server *server)
{
    unsigned count = 0;
    for (struct reloadable *each = server->reloadables; each; each = each->next)
        count++;
    if (read_again(server, &server->log, true) < count)
        tell_processes(server);
}

void reload_here(parley_server *server, struct log *log)
{
    signals_seen(&server->reload_asked);
    read_again(server, log, false);
}

void reload_free(struct reloadable *reloadable)
{
    let_go(reloadable->latest);
    reloadable->latest = NULL;
}

void reload_close(parley_server *server)
{
    for (struct reloadable *each = server->reloadables; each; each = each->next)
        reload_free(each);
}
