/* Timers of one loop: a binary heap of when each is due. A timer itself, inside its owner, knows its place
 * there only: an idle owner, of which nothing is due, pays for that alone.
 *
 * Room is reserved when an owner is made, so that arming a timer can never fail. Reserved places that no
 * timer has been in are not touched: the kernel gives no memory for them. */
#ifndef ENGINE_TIMER_H
#define ENGINE_TIMER_H

#include <stddef.h>
#include <stdint.h>

/* Whose timer it is; the loop knows what to do. A pointer per timer would cost every idle connection more. */
enum timer_kind { TIMER_DEADLINE, TIMER_ALARM, TIMER_GUEST, TIMER_CHORE, TIMER_LISTENER, TIMER_DRAIN };

struct timer {
    uint32_t place : 28; /* in the heap, from 1; 0: not armed */
    enum timer_kind kind : 4;
};

struct timer_entry {
    int64_t due; /* ms, sys.now() */
    struct timer *timer;
};

struct timers {
    struct timer_entry *heap;
    uint32_t count, room, reserved;
    int64_t earliest; /* ms, sys.now(): what is armed is due no sooner; 0 but while they fire */
};

/* Makes room for `count` further timers: 0 or -1 without memory. Give it back with timers_release(). */
int timers_reserve(struct timers *timers, uint32_t count);
void timers_release(struct timers *timers, uint32_t count);
void timers_close(struct timers *timers);

/* Arms, or moves, a timer whose room is reserved. */
void timer_arm(struct timers *timers, struct timer *timer, int64_t due);
void timer_cancel(struct timers *timers, struct timer *timer);
/* When it is due; INT64_MAX: it is not armed. */
static inline int64_t timer_due(const struct timers *timers, const struct timer *timer)
{
    return timer->place ? timers->heap[timer->place].due : INT64_MAX;
}

/* Milliseconds until the next is due, 0 if overdue, -1 if none. */
static inline int64_t timers_wait(const struct timers *timers, int64_t now)
{
    if (timers->count == 0)
        return -1;
    int64_t due = timers->heap[1].due;
    return due > now ? due - now : 0;
}
/* Fires those due at `now`, each once: a timer armed while firing waits for a later clock, so no handler can
 * hold the loop here. `fire` may free the timer. */
void timers_fire(struct timers *timers, int64_t now, void (*fire)(struct timer *timer));

#endif
