/* Least privilege: what a subcommand gives up once all it needs is open. A process does so once. */
#ifndef COMMAND_CONFINE_H
#define COMMAND_CONFINE_H

#include "command/command.h"

/* What a server does beside serving the connections it accepts. */
enum confine_needs {
    CONFINE_TALKS = 1,   /* to an operator: a terminal, files that are written */
    CONFINE_DIALS = 2,   /* connects, to names that are looked up */
    CONFINE_PROGRAMS = 4 /* starts programs, whose needs nobody knows, and which share its filter */
};

/* Takes what the options ask, while users and groups can still be looked up. When `server` listens, and
 * before it has workers, it is confined to `needs` (of enum confine_needs), says so in its log, and only then
 * announces its listeners. 0, or the exit code after a complaint. */
int confine_on_listening(const struct arguments *arguments, parley_server *server, unsigned needs);

#endif
