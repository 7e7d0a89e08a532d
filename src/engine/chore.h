/* Something that a loop is not to end before, beside its connections: a child process that is to be reaped.
 */
#ifndef ENGINE_CHORE_H
#define ENGINE_CHORE_H

#include "engine/timer.h"

struct loop;

struct chore {
    struct chore *next, **place; /* loop->chores */
    struct loop *loop;
    struct timer timer;
    /* Its time has come, or the drain deadline: it is to go on with whatever ends it. May end it. */
    void (*due)(struct chore *chore);
};

/* Takes it up, in the loop's thread; the memory stays the caller's. 0, or a parley_status. */
int chore_begin(struct loop *loop, struct chore *chore, void (*due)(struct chore *chore));
/* `due` in so many ms; -1: not before the drain deadline. */
void chore_in(struct chore *chore, int64_t delay);
/* It is done. */
void chore_end(struct chore *chore);

/* The loop's own: a timer with TIMER_CHORE is due. */
void chore_fired(struct timer *timer);
/* The loop's own: all are to hurry. */
void chores_hurry(struct loop *loop);

#endif
