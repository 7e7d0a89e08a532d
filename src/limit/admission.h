/* Admission: whether a client may come in. */
#ifndef LIMIT_ADMISSION_H
#define LIMIT_ADMISSION_H

#include <parley.h>
#include <sys/socket.h>

struct door;
struct loop;

/* By the access lists: 0, or PARLEY_NETWORK with the sentence that says why not. The address is the one that
 * the PROXY header gives, where there is one. */
int admission_by_address(struct loop *loop, const struct door *door, const struct sockaddr *client);

/* What can be known of a client that has just been accepted: its address, how many are here, and how fast
 * they come. 0; or a parley_status with its sentence: it has then been told, and is to be closed. */
int admission_at_accept(struct loop *loop, const struct door *door, int fd, const struct sockaddr *peer);

#endif
