/* Descriptors of the user's that the first worker watches beside its connections. */
#include "engine/error.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "engine/sys.h"

int parley_watch(parley_server *server, int descriptor,
                 void (*readable)(parley_server *server, int descriptor))
{
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

void loop_watch(struct loop *loop, struct watch *watch)
{
    watch->wanted = true;
    watch->next = loop->watches;
    loop->watches = watch;
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
        loop_watch(loop, watch);
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
        if (watch != &loop->wake)
            sys.free(watch);
    }
    loop->watches = NULL;
}
