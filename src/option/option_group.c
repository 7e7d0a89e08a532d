/* Options that several subcommands take. Their names are those of parley_set(). */
#include "option/groups.h"

static const struct option address_options[] = {
    {.name = "port", .letter = 'p', .argument = "PORT", .help = "the port"},
    {.name = "ipaddr", .letter = 'i', .argument = "ADDRESS", .kind = OPTION_HOST, .help = "the IP address"},
    {.name = "domain", .letter = 'd', .argument = "NAME", .kind = OPTION_HOST, .help = "the host's name"},
    {.name = "unix",
     .letter = 'U',
     .argument = "PATH",
     .kind = OPTION_PATH,
     .help = "a unix socket instead of TCP; @NAME is an abstract one"},
    {.name = "ipv4", .letter = '4', .setting = "family", .value = "4", .help = "IPv4 only"},
    {.name = "ipv6", .letter = '6', .setting = "family", .value = "6", .help = "IPv6 only"},
    {.name = "udp",
     .letter = 'u',
     .kind = OPTION_REFUSED,
     .help = "parley speaks TCP and unix stream sockets, not UDP"},
    {0},
};
const struct option_group address_group = {.title = "Addresses", .options = address_options};

static const struct option announce_options[] = {
    {.name = "backlog",
     .argument = "N",
     .setting = "backlog",
     .help = "length of the queue of clients not yet accepted; 0, the default: the system's maximum"},
    {.name = "unix-mode",
     .argument = "MODE",
     .setting = "unix-mode",
     .help = "permissions of the unix sockets' files, in octal, as 0660: who may write to it may connect; by "
             "default what the umask leaves"},
    {.name = "print-port", .help = "prints the port of each listening socket on stdout, a line each"},
    {.name = "ready-fd",
     .argument = "N",
     .kind = OPTION_COUNT,
     .help = "writes each listening address to descriptor N, a line each, and closes it"},
    {0},
};
const struct option_group announce_group = {.title = "Listening", .options = announce_options};

static const struct option socket_options[] = {
    {.name = "no-nodelay",
     .setting = "nodelay",
     .value = "off",
     .help = "leaves Nagle's algorithm on (no TCP_NODELAY)"},
    {.name = "keepalive",
     .argument = "TIME",
     .setting = "keepalive",
     .help =
         "probes a silent peer after so long, and gives up one that has vanished, or acknowledges nothing, "
         "after twice the time (at least 3 s more)"},
    {.name = "receive-buffer", .argument = "SIZE", .setting = "receive-buffer", .help = "SO_RCVBUF"},
    {.name = "send-buffer", .argument = "SIZE", .setting = "send-buffer", .help = "SO_SNDBUF"},
    {0},
};
const struct option_group socket_group = {.title = "Sockets", .options = socket_options};

static const struct option time_options[] = {
    {.name = "idle",
     .argument = "TIME",
     .setting = "idle",
     .help = "closes a connection without a byte either way for so long"},
    {.name = "life",
     .argument = "TIME",
     .setting = "life",
     .help = "closes a connection so long after it was established"},
    {.name = "handshake-timeout",
     .argument = "TIME",
     .setting = "handshake-timeout",
     .help = "gives up a connection that is not let in for so long, PROXY header and TLS handshake together; "
             "10s"},
    {.name = "write-timeout",
     .argument = "TIME",
     .setting = "write-timeout",
     .help = "cuts a peer that takes no byte of what is queued for so long; 60s"},
    {.name = "linger",
     .argument = "TIME",
     .setting = "linger",
     .help = "after the last byte waits so long for the peer to finish too; 2s"},
    {.name = "drain",
     .argument = "TIME",
     .setting = "drain",
     .help =
         "when told to stop, lets connections finish for so long; 10s, a conversation of connect or listen "
         "200ms"},
    {0},
};
const struct option_group time_group = {.title = "Times", .options = time_options};

#define PLACEMENTS "iterative fork thread prefork prethread"
#define POLLERS "blocking select poll epoll uring"
#define WITH(placement, poller) " " placement "+" poller
#define WITH_POLLERS(placement)                                                                              \
    WITH(placement, "blocking")                                                                              \
    WITH(placement, "select") WITH(placement, "poll") WITH(placement, "epoll") WITH(placement, "uring")

static const struct option model_options[] = {
    {.name = "model",
     .argument = "MODEL",
     .setting = "model",
     .choices = PLACEMENTS " " POLLERS WITH_POLLERS("iterative") WITH_POLLERS("fork") WITH_POLLERS("thread")
         WITH_POLLERS("prefork") WITH_POLLERS("prethread"),
     .help =
         "the server design, PLACEMENT+POLLER or either half: iterative, fork, thread, prefork or prethread "
         "with blocking, select, poll, epoll or uring; by default prethread+epoll"},
    {0},
};
const struct option_group model_group = {.title = "Design", .options = model_options};

static const struct option privilege_options[] = {
    {.name = "user",
     .argument = "USER",
     .help = "becomes this user, a name or a number, once it listens; with the user's groups, unless --group "
             "names one"},
    {.name = "group", .argument = "GROUP", .help = "becomes a member of this group, and of no other"},
    {.name = "chroot",
     .argument = "DIR",
     .kind = OPTION_PATH,
     .help = "makes DIR the root of all paths once it listens"},
    {.name = "no-sandbox", .help = "keeps the privileges that a server without a need for them gives up"},
    {0},
};
const struct option_group privilege_group = {.title = "Least privilege", .options = privilege_options};

static const struct option explain_options[] = {
    {.name = "explain",
     .setting = "explain",
     .help = "tells each system call of a connection's life on stderr as it happens"},
    {0},
};
const struct option_group explain_group = {.title = "Design", .options = explain_options};

static const struct option log_options[] = {
    {.name = "log",
     .argument = "FORMAT",
     .setting = "log",
     .choices = "text json off none",
     .help = "how events are told on stderr: text, json (an object a line) or none"},
    {.name = "verbose", .letter = 'v', .setting = "verbosity", .value = "2", .help = "tells more"},
    {0},
};
const struct option_group log_group = {.title = "Log", .options = log_options};

static const struct option general_options[] = {
    {.name = "help", .letter = 'h', .kind = OPTION_HELP, .help = "shows this help"},
    {0},
};
const struct option_group general_group = {.title = "Help", .options = general_options};
