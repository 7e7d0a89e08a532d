/* A process per client: one thread accepts, each connection is served by a child of its own. */
#include "engine/worker.h"
#include "placement/placement.h"

static int start(struct parley_server *server)
{
    return worker_start_thread(server, NULL);
}

const struct placement placement_fork = {.name = "fork",
                                         .default_poller = "blocking",
                                         .processes = true,
                                         .per_client = true,
                                         .start = start,
                                         .hand_over = worker_start_process};
