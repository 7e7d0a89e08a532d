/* N threads, made before the first client comes, each a loop over the listeners. */
#include "engine/server.h"

static int start(struct parley_server *server)
{
    if (server->worker_total == 1)
        return worker_start_only(server);
    for (unsigned i = 0; i < server->worker_total; i++)
        if (worker_start_thread(server, NULL) < 0)
            return -1;
    return 0;
}

const struct placement placement_prethread = {.name = "prethread", .default_poller = "epoll", .start = start};
