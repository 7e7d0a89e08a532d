#include "engine/notify.h"
#include "engine/error.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "engine/supervise.h"
#include "engine/sys.h"
#include <errno.h>
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

/* Who works by calls that block may rest in any of them. */
_Atomic int64_t *notify_pulse(const struct loop *loop)
{
    const struct worker *worker = loop->worker;
    bool is_asked = loop->server->options.watchdog > 0 || loop->server->worker_total > 1;
    if (!is_asked || worker->fd >= 0 || loop->poller->deaf)
        return NULL;
    _Atomic int64_t *pulse = &loop->server->shared->shares[worker->index].busy_since;
    atomic_store(pulse, 0);
    return pulse;
}

/* A worker that sleeps is well, whatever it sleeps in. Those that serve one client each come and go; whoever
 * accepts for them is looked at. */
static const struct worker *stuck_worker(parley_server *server, int64_t now)
{
    const struct worker *worker = server->workers;
    for (; worker; worker = worker->next) {
        int64_t since = worker->fd < 0 ? atomic_load(&server->shared->shares[worker->index].busy_since) : 0;
        if (since > 0 && now - since >= server->options.watchdog)
            break;
    }
    return worker;
}

static bool is_alive(parley_server *server, int64_t now)
{
    pthread_mutex_lock(&server->lock);
    const struct worker *stuck = stuck_worker(server, now);
    unsigned index = stuck ? stuck->index : 0;
    pthread_mutex_unlock(&server->lock);
    if (stuck)
        log_line(&server->log, LOG_FAULT, NULL,
                 "worker %u has not come to rest for %g s: the watchdog is not fed", index,
                 (double)server->options.watchdog / 1000);
    return !stuck;
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
    if (!is_alive(server, now))
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
