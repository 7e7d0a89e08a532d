/* The crowd: how many clients may be here, and how fast they may come, by each door. Where "when-full" is
 * queue, accepting pauses; otherwise those above the limit are accepted and turned away. */
#ifndef LIMIT_CROWD_H
#define LIMIT_CROWD_H

#include <parley.h>
#include <stdbool.h>

struct door;
struct listener;
struct loop;

/* Makes the loop's view of the doors, and sets the most that the loop may hold, by its model and by its
 * shares of "connections". Shares add up to the whole, so a limit of all workers needs no counting together.
 * 0 or a parley_status. */
int crowd_open(struct loop *loop);
void crowd_close(struct loop *loop);

/* Whether the loop may accept there now. Sees to it that it looks again when that may have changed. */
bool crowd_has_room(struct loop *loop, struct listener *listener);
/* A client has been accepted: 0, or PARLEY_NETWORK with the sentence, if it is to be turned away. */
int crowd_enter(struct loop *loop, const struct door *door);
/* A connection takes a place; it does no longer. */
void crowd_joined(parley_conn *conn);
void crowd_left(parley_conn *conn);

/* Of `connections` where each worker has sockets of its own: one without a share would never accept. */
bool crowd_is_too_small(const parley_server *server, const struct door *door);
/* A worker process has died, and its clients with it. */
void crowd_bury(parley_server *server, unsigned index);
/* Workers that serve one client each, where there is a limit to them; under server->lock. */
unsigned crowd_clients(const parley_server *server);

#endif
