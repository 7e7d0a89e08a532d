/* Descriptors of the user's that the first worker watches beside its connections. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include <errno.h>
#include <fcntl.h>

static bool is_watched(const parley_server *server, int descriptor)
{
    for (size_t i = 0; i < server->watch_count; i++)
        if (server->watches[i].fd == descriptor)
            return true;
    return false;
}

int parley_watch(parley_server *server, int descriptor,
                 void (*readable)(parley_server *server, int descriptor))
{
    if (fcntl(descriptor, F_GETFD) < 0)
        return fail(PARLEY_USAGE, "descriptor %d is not open: nothing to watch", descriptor);
    if (is_watched(server, descriptor))
        return fail(PARLEY_USAGE, "descriptor %d is watched already", descriptor);
    struct user_watch *watches = sys.realloc(server->watches, (server->watch_count + 1) * sizeof *watches);
    if (!watches)
        return fail(PARLEY_RESOURCE, "no memory for a watch");
    server->watches = watches;
    server->watches[server->watch_count++] = (struct user_watch){.fd = descriptor, .readable = readable};
    return 0;
}

static void pause_watch(struct loop *loop, struct watch *watch, bool paused)
{
    if (watch->wanted != paused)
        return;
    watch->wanted = !paused;
    loop->poller->watch(loop, watch);
}

void parley_watch_pause(parley_server *server, int descriptor, bool paused)
{
    struct loop *loop = loop_of_first_worker(server);
    for (size_t i = 0; i < server->watch_count; i++)
        if (server->watches[i].fd == descriptor)
            server->watches[i].paused = paused;
    for (struct watch *watch = loop ? loop->watches : NULL; watch; watch = watch->next)
        if (watch->fd == descriptor && watch->context)
            pause_watch(loop, watch, paused);
}

int loop_watch(struct loop *loop, struct watch *watch)
{
    watch->wanted = true;
    watch->next = loop->watches;
    watch->place = &loop->watches;
    if (watch->next)
        watch->next->place = &watch->next;
    loop->watches = watch;
    loop->poller->watch(loop, watch);
    if (watch->polled)
        return 0;
    if (loop->poller->descriptors > 0 && watch->fd >= loop->poller->descriptors)
        return fail(PARLEY_RESOURCE, "descriptor %d is beyond what %s can watch (FD_SETSIZE, %d)", watch->fd,
                    loop->poller->name, loop->poller->descriptors);
    return fail(PARLEY_RESOURCE, "%s cannot watch descriptor %d: %s", loop->poller->name, watch->fd,
                reason_of(loop->poller->name, errno));
}

void loop_unwatch(struct loop *loop, struct watch *watch)
{
    *watch->place = watch->next;
    if (watch->next)
        watch->next->place = watch->place;
    watch->wanted = false;
    loop->poller->watch(loop, watch);
}

static void user_readable(struct loop *loop, struct watch *watch)
{
    const struct user_watch *user = watch->context;
    user->readable(loop->server, user->fd);
}

int watching_open(struct loop *loop)
{
    struct parley_server *server = loop->server;
    for (size_t i = 0; i < server->watch_count && loop->worker->index == 0; i++) {
        struct watch *watch = sys.calloc(1, sizeof *watch);
        if (!watch)
            return fail(PARLEY_RESOURCE, "no memory for a watch");
        watch->fd = server->watches[i].fd;
        watch->readable = user_readable;
        watch->context = &server->watches[i];
        int status = loop_watch(loop, watch);
        if (status < 0)
            return status;
        pause_watch(loop, watch, server->watches[i].paused);
    }
    return 0;
}

void watching_close(struct loop *loop)
{
    for (struct watch *watch = loop->watches, *next; watch; watch = next) {
        next = watch->next;
        watch->wanted = false;
        loop->poller->watch(loop, watch);
        if (watch != &loop->wake && watch != &loop->supervisor)
            sys.free(watch);
    }
    loop->watches = NULL;
}
