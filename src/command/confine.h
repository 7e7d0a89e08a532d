/* Least privilege: what a subcommand gives up once all it needs is open. A process does so once. */
#ifndef COMMAND_CONFINE_H
#define COMMAND_CONFINE_H

#include "command/command.h"
#include "sandbox/needs.h"

/* Takes what the options ask, while users and groups can still be looked up. When `server` listens, and
 * before it has workers, it is confined to `needs` (of enum confine_needs), says so in its log, and only then
 * announces its listeners. 0, or the exit code after a complaint. */
int confine_on_listening(const struct arguments *arguments, parley_server *server, unsigned needs);

#endif
