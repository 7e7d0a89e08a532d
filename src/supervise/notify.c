#include "supervise/notify.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "supervise/supervise.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { STATUS_SIZE = ADDRESS_TEXT + 128 };

/* ---- the socket ---- */

/* "/run/systemd/notify", or "@name" in the abstract name space. */
static int connect_manager(int fd, const char *where)
{
    struct sockaddr_un manager = {.sun_family = AF_UNIX};
    size_t length = strlen(where);
    if ((where[0] != '/' && where[0] != '@') || length >= sizeof manager.sun_path) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    memcpy(manager.sun_path, where, length);
    if (where[0] == '@')
        manager.sun_path[0] = '\0';
    return sys.connect(fd, (const struct sockaddr *)&manager,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (where[0] == '/')));
}

void notify_open(parley_server *server)
{
    const char *where = server->options.notify;
    if (!*where)
        return;
    int fd = sys.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect_manager(fd, where) == 0) {
        server->manager = fd;
        return;
    }
    log_line(&server->log, LOG_FAULT, NULL, "the service manager at %s cannot be told: %s", where,
             reason_of("notify", errno));
    if (fd >= 0)
        sys.close(fd);
}

void notify_close(parley_server *server)
{
    if (server->manager >= 0)
        sys.close(server->manager);
    server->manager = -1;
}

/* ---- what it is told ---- */

/* Never waits: a manager that does not read is no reason to stand still. */
static void tell(const parley_server *server, const char *format, ...) PARLEY_PRINTF(2, 3);
static void tell(const parley_server *server, const char *format, ...)
{
    char text[STATUS_SIZE + 64];
    va_list arguments;
    if (server->manager < 0)
        return;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof text)
        length = sizeof text - 1;
    sys.send(server->manager, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* "echo listens on 127.0.0.1:3000 and 1 more; 12 connections so far", short enough for one line. */
static const char *status_of(const parley_server *server, char *text, size_t size)
{
    unsigned long long accepted = atomic_load(&server->shared->accepted);
    char more[32] = "";
    if (server->bound_count > 1)
        snprintf(more, sizeof more, " and %zu more", server->bound_count - 1);
    snprintf(text, size, "%s listens on %s%s; %llu connection%s so far",
             server->handler->name ? server->handler->name : "a service",
             server->bound_count > 0 ? server->bounds[0].text : "nothing", more, accepted,
             accepted == 1 ? "" : "s");
    return text;
}

void notify_ready(parley_server *server)
{
    char status[STATUS_SIZE];
    tell(server, "READY=1\nSTATUS=%s", status_of(server, status, sizeof status));
}

void notify_reloading(parley_server *server)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tell(server, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading its files again",
         (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(parley_server *server)
{
    tell(server, "STOPPING=1\nSTATUS=stopping: no more clients; those here have %g s to finish",
         (double)server->options.drain / 1000);
}

/* ---- the watchdog ---- */

_Atomic int64_t *notify_pulse(const struct loop *loop)
{
    const struct worker *worker = loop->worker;
    bool is_asked = loop->server->options.watchdog > 0;
    bool is_shared = loop->server->worker_total > 1 && !loop->poller->deaf;
    if (worker->fd >= 0 || (!is_asked && !is_shared))
        return NULL;
    _Atomic int64_t *pulse = &loop->server->shared->shares[worker->index].busy_since;
    atomic_store(pulse, 0);
    return pulse;
}

/* A process that rests may have been stopped, or be gone for other reasons that nobody is told of: it is
 * woken, and has to say that it rests again. Threads stop together with us. */
static void ask(const struct worker *worker, _Atomic int64_t *pulse, int64_t now)
{
    int64_t rests = 0;
    if (worker->is_process && (atomic_compare_exchange_strong(pulse, &rests, -now) || rests < 0))
        kill(worker->pid, SIGURG);
}

struct health {
    unsigned serving;           /* workers that serve the listeners */
    const struct worker *stuck; /* one that is not well */
    bool answers;               /* it is busy; else it has been asked in vain */
};

static void examine(struct health *health, const struct worker *worker, int64_t now)
{
    parley_server *server = worker->server;
    _Atomic int64_t *pulse = &server->shared->shares[worker->index].busy_since;
    int64_t since = atomic_load(pulse);
    health->serving++;
    if (since != 0 && now - (since > 0 ? since : -since) >= server->options.watchdog) {
        health->stuck = worker;
        health->answers = since > 0;
    }
    ask(worker, pulse, now);
}

/* Those that serve one client each come and go, and are their client's business; whoever accepts for them is
 * looked at. */
static struct health examine_all(parley_server *server, int64_t now)
{
    struct health health = {.stuck = NULL};
    for (const struct worker *worker = server->workers; worker; worker = worker->next)
        if (worker->fd < 0)
            examine(&health, worker, now);
    return health;
}

static bool is_alive(const struct supervision *supervision, int64_t now)
{
    parley_server *server = supervision->server;
    double patience = (double)server->options.watchdog / 1000;
    pthread_mutex_lock(&server->lock);
    struct health health = examine_all(server, now);
    unsigned index = health.stuck ? health.stuck->index : 0;
    pthread_mutex_unlock(&server->lock);
    if (health.stuck)
        log_line(&server->log, LOG_FAULT, NULL, "worker %u has not %s for %g s: the watchdog is not fed",
                 index, health.answers ? "come to rest" : "answered", patience);
    else if (health.serving == 0 && !supervision->stop_at)
        log_line(&server->log, LOG_FAULT, NULL, "no worker is there to serve: the watchdog is not fed");
    return !health.stuck && (health.serving > 0 || supervision->stop_at);
}

/* Twice in the time that the manager waits, as sd_watchdog_enabled(3) advises. */
void notify_alive(struct supervision *supervision)
{
    parley_server *server = supervision->server;
    int64_t now = sys.now();
    char status[STATUS_SIZE];
    if (server->options.watchdog == 0 || now < supervision->watchdog_at)
        return;
    supervision->watchdog_at = now + server->options.watchdog / 2;
    if (!is_alive(supervision, now))
        return;
    if (supervision->stop_at)
        tell(server, "WATCHDOG=1");
    else
        tell(server, "WATCHDOG=1\nSTATUS=%s", status_of(server, status, sizeof status));
}

int64_t notify_patience(const struct supervision *supervision, int64_t wait)
{
    if (supervision->server->options.watchdog == 0)
        return wait;
    int64_t until = supervision->watchdog_at - sys.now();
    until = until > 0 ? until : 0;
    return wait < 0 || until < wait ? until : wait;
}
