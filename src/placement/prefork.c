/* N processes, made before the first client comes, each a loop over the listeners. */
#include "engine/server.h"

static int start(struct parley_server *server)
{
    for (unsigned i = 0; i < server->worker_total; i++)
        if (worker_start_process(server, NULL) < 0)
            return -1;
    return 0;
}

const struct placement placement_prefork = {
    .name = "prefork", .default_poller = "epoll", .processes = true, .start = start};
