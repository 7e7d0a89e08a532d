/* Who may come, and how much they may take. */
#include "option/groups.h"

static const struct option access_options[] = {
    {.name = "allow",
     .argument = "NETWORKS",
     .setting = "allow",
     .help = "who may come: 10.0.0.0/8,::1, or @FILE with a network a line and # comments, read again on "
             "SIGHUP; may be repeated and mixed with --deny: the first that holds the client's address "
             "decides, and who is in none is treated opposite to the last"},
    {.name = "deny", .argument = "NETWORKS", .setting = "deny", .help = "who may not come; as --allow"},
    {0},
};
const struct option_group access_group = {.title = "Who may come", .options = access_options};

static const struct option crowd_options[] = {
    {.name = "connections",
     .argument = "N",
     .setting = "connections",
     .help = "most connections at once, all workers together; 0, the default: any"},
    {.name = "per-address",
     .argument = "N",
     .setting = "per-address",
     .help = "most connections of one address; of IPv6, of one /64"},
    {.name = "per-network",
     .argument = "N",
     .setting = "per-network",
     .help = "most connections of one network: a /24 of IPv4, a /48 of IPv6"},
    {.name = "accept-rate",
     .argument = "N",
     .setting = "accept-rate",
     .help = "most clients a second; as many as come in a tenth of it may come at once"},
    {.name = "when-full",
     .argument = "POLICY",
     .setting = "when-full",
     .help =
         "what becomes of a client above these: queue, the default (it waits to be accepted, or is closed if "
         "that shows only by its address), close, reset, or message=TEXT (a line, then the close; under TLS "
         "the close alone)"},
    {0},
};
const struct option_group crowd_group = {.title = "How many may come", .options = crowd_options};

static const struct option limit_options[] = {
    {.name = "first-byte",
     .argument = "TIME",
     .setting = "first-byte",
     .help = "closes a connection whose peer has sent nothing so long after it was let in"},
    {.name = "min-rate",
     .argument = "BYTES[/TIME]",
     .setting = "min-rate",
     .help = "cuts a connection that moves, both ways together, fewer BYTES in each TIME; without TIME: "
             "fewer a second, over 10s"},
    {.name = "bytes-max",
     .argument = "SIZE",
     .setting = "bytes-max",
     .help = "cuts a connection that moves more, both ways together"},
    {.name = "message-max",
     .argument = "SIZE",
     .setting = "message-max",
     .help = "longest message of the framing, instead of its own max"},
    {.name = "when-over",
     .argument = "POLICY",
     .setting = "when-over",
     .help =
         "what becomes of a connection that meets one of these limits, --idle, --life or --write-timeout: "
         "close, the default, reset, or message=TEXT (one more message or, where bytes are raw, a line, "
         "behind what is queued, and then the close)"},
    {.name = "high-water",
     .argument = "SIZE",
     .setting = "high-water",
     .help = "queued bytes above which a connection's reading pauses; 256KiB"},
    {.name = "queue-max",
     .argument = "SIZE",
     .setting = "queue-max",
     .help = "queued bytes above which a connection is cut; 64MiB"},
    {0},
};
const struct option_group limit_group = {.title = "What each may take", .options = limit_options};

static const struct option framing_options[] = {
    {.name = "framing",
     .argument = "FRAMING",
     .setting = "framing",
     .help = "how messages are told apart: \"raw\", \"line max=512\", \"u16be\", \"u32be max=1MiB\", "
             "\"varint\", \"fixed=64\", \"delim=\\r\\n\""},
    {0},
};
const struct option_group framing_group = {.title = "Messages", .options = framing_options};
