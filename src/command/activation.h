/* Listening where the command line says: on addresses, or on sockets that a service manager has opened for us
 * (sd_listen_fds(3)) or another program has left open. */
#ifndef COMMAND_ACTIVATION_H
#define COMMAND_ACTIVATION_H

#include "command/command.h"

/* First of all: takes what concerns this process alone out of the environment, and looks which descriptors
 * are open before any of ours is. forget_what_was_passed() at the end. */
void take_what_is_passed(void);
void forget_what_was_passed(void);

/* Listens on each address that the operands from `first` on and the options name; "systemd:" is every socket
 * passed, "systemd:NAME" those of that name, "fd:N" descriptor N; where no address is given and sockets are
 * passed, on those. 0, or the exit code after a complaint. */
int listen_where_asked(const struct arguments *arguments, size_t first, parley_server *server);

/* Has the server tell a service manager that asks to be told how it is: $NOTIFY_SOCKET, $WATCHDOG_USEC. 0, or
 * the exit code after a complaint. */
int tell_manager(const struct arguments *arguments, parley_server *server);

#endif
