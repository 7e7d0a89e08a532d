/* Who may come, and how much they may take. */
#include "command/command.h"

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
