/* A thread per client: one thread accepts, each connection is served by a thread of its own. */
#include "engine/worker.h"
#include "placement/placement.h"

static int start(struct parley_server *server)
{
    return worker_start_thread(server, NULL);
}

const struct placement placement_thread = {.name = "thread",
                                           .default_poller = "blocking",
                                           .per_client = true,
                                           .start = start,
                                           .hand_over = worker_start_thread};
