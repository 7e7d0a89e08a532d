/* The crowd: how many clients may be here, and how fast they may come. Where "when-full" is queue, accepting
 * pauses; otherwise those above the limit are accepted and turned away. */
#ifndef ENGINE_CROWD_H
#define ENGINE_CROWD_H

#include <stdbool.h>

struct loop;

/* Sets the most that the loop may hold, by its model and by its share of "connections". Shares add up to the
 * whole, so a limit of all workers needs no counting together. */
void crowd_open(struct loop *loop);
/* Whether the loop may accept now. Sees to it that it looks again when that may have changed. */
bool crowd_has_room(struct loop *loop);
/* A client has been accepted: 0, or PARLEY_NETWORK with the sentence, if it is to be turned away. */
int crowd_enter(struct loop *loop);

#endif
