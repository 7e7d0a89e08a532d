/* One client after another: the server of the first page. */
#include "engine/worker.h"
#include "placement/placement.h"

static int start(struct parley_server *server)
{
    return worker_start_only(server);
}

const struct placement placement_iterative = {
    .name = "iterative", .default_poller = "blocking", .limit = 1, .start = start};
