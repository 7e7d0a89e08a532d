/* Which processes of this machine listen on an address. */
#ifndef WITNESS_LISTENER_H
#define WITNESS_LISTENER_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct holders {
    pid_t *pids;
    size_t count, room;
};

/* Finds those that hold a listening socket for this address, in our network namespace. Of a socket bound to
 * the address itself and one bound to any, the first is meant, as the kernel does. 0, or PARLEY_USAGE with
 * the sentence that says why none can be seen: another machine, nobody, or another user's. Free `pids` either
 * way. */
int listener_holders(struct holders *holders, const struct sockaddr *target, socklen_t length);

#endif
