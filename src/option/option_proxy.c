/* The options of the PROXY protocol: who may speak for a client, and how to speak for one. */
#include "option/groups.h"

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

/* For load too, whose plan has a place for each. */
static const struct option sending_options[] = {
    {.name = "proxy-send",
     .argument = "VERSION",
     .setting = "proxy-send",
     .choices = "v1 v2",
     .reason = "the versions of the PROXY protocol are v1 and v2",
     .help = "begins each connection with a PROXY header of this version, before TLS, as a proxy would"},
    {.name = "proxy-source",
     .argument = "ADDRESS",
     .setting = "proxy-source",
     .help =
         "the client that it names: 192.0.2.1, [2001:db8::1]:40000, unix:/path; without a port that of the "
         "connection; by default the connection's own address"},
    {0},
};
const struct option_group proxy_send_group = {.title = "As a proxy", .options = sending_options};

static const struct option forwarding_options[] = {
    {.name = "proxy-send",
     .argument = "VERSION",
     .setting = "proxy-send",
     .choices = "v1 v2",
     .reason = "the versions of the PROXY protocol are v1 and v2",
     .help =
         "tells the target of relay, or a program of exec, who the client is: a PROXY header of this version "
         "comes before all else"},
    {0},
};
const struct option_group proxy_forward_group = {.title = "As a proxy", .options = forwarding_options};
