/* Admission: whether a client may come in. */
#ifndef ENGINE_ADMISSION_H
#define ENGINE_ADMISSION_H

#include <parley.h>
#include <sys/socket.h>

struct loop;

/* By its address: 0, or PARLEY_NETWORK with the sentence that says why not. The address is the one that the
 * PROXY header gives, where there is one. */
int admission_by_address(struct loop *loop, const struct sockaddr *client);

#endif
