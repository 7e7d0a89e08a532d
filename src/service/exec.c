/* A program per connection, in the way of tcpserver and s6. */
#include "engine/loop.h"
#include "exec/servant.h"
#include "exec/handover.h"
#include "exec/places.h"
#include "service/service.h"

enum { LOOK_AGAIN = 50 /* ms: for a place under --max-children */ };

struct exec {
    struct servant *servant; /* NULL: waits for a place, or could not be run */
};

static const struct program *program_of(const parley_conn *conn)
{
    const struct service_settings *settings = parley_user(conn);

    return settings->program;
}

/* Who has to wait is not read: what it sends stays where it is. */
static void start(parley_conn *conn)
{
    struct exec *state = parley_state(conn);
    unsigned place;

    if (!place_take(program_of(conn), parley_peer(conn), &place)) {
        parley_pause(conn);
        parley_set_timer(conn, LOOK_AGAIN);
        return;
    }
    parley_resume(conn);
    state->servant = servant_start(conn, program_of(conn), place);
    if (!state->servant)
        parley_finish(conn);
}

static void opened(parley_conn *conn)
{
    if (!conn->loop->poller->deaf) {
        start(conn);
        return;
    }
    handover(conn, program_of(conn));
    parley_finish(conn);
}

/* The bridge has told the program. */
static void ended(parley_conn *conn)
{
    (void)conn;
}

static void closed(parley_conn *conn, parley_reason reason)
{
    const struct exec *state = parley_state(conn);

    if (state->servant)
        servant_client_gone(state->servant, reason == PARLEY_FINISHED || reason == PARLEY_DRAINED);
}

const parley_handler exec_handler =
    PARLEY_HANDLER(.name = "exec", .state_size = sizeof(struct exec), .opened = opened, .ended = ended,
                   .timed = start, .closed = closed);

static const struct option exec_options[] = {
    {.name = "shell",
     .argument = "LINE",
     .help = "runs /bin/sh -c LINE instead of a program named behind --"},
    {.name = "env",
     .argument = "NAME[=VALUE]",
     .help = "a variable of its environment, which has UCSPI's and PATH otherwise; without a value, the one "
             "it has "
             "here; may be repeated"},
    {.name = "as", .argument = "USER", .help = "runs it as this user, with its groups; only root can"},
    {.name = "new-privileges",
     .help =
         "lets it gain privileges, as set-user-ID programs do (sudo, sendmail); one that has may be out of "
         "reach of --grace and the stop"},
    {.name = "rlimit",
     .argument = "NAME=VALUE",
     .help = "limits it: as, core, cpu, data, fsize, memlock, nofile, nproc or stack, as in nofile=64, "
             "as=512MiB or "
             "cpu=10 (seconds); may be repeated"},
    {.name = "max-children",
     .argument = "N",
     .kind = OPTION_COUNT,
     .help = "most programs at once, above which clients wait; 0, the default: any"},
    {.name = "grace",
     .argument = "TIME",
     .kind = OPTION_TIME,
     .help = "when its client is gone, its group has so long from SIGTERM to SIGKILL; 5s"},
    {.name = "stderr-to-client",
     .help = "sends what it says on descriptor 2 to the client, and not to the log"},
    {.name = "pty",
     .help = "gives it a terminal of its own instead, for those that want one; under blocking there is none"},
    {0},
};
const struct option_group exec_group = {
    .title = "The service exec", .options = exec_options, .service = "exec"};
