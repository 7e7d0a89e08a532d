/* The options of the PROXY protocol: who may speak for a client, and how to speak for one. */
#include "command/command.h"

static const struct option receiving_options[] = {
    {.name = "proxy-from",
     .argument = "NETWORKS",
     .setting = "proxy-from",
     .help =
         "the proxies in front: 10.0.0.0/8,::1,unix; may be repeated. Who comes from there must begin with "
         "a PROXY header, version 1 or 2, and its client is the peer from then on; who sends one from "
         "elsewhere is turned away"},
    {0},
};
const struct option_group proxy_group = {.title = "Behind a proxy", .options = receiving_options};
