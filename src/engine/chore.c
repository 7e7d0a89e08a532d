#include "engine/chore.h"
#include "base/error.h"
#include "engine/loop.h"

int chore_begin(struct loop *loop, struct chore *chore, void (*due)(struct chore *chore))
{
    if (timers_reserve(&loop->timers, 1) < 0)
        return fail(PARLEY_RESOURCE, "no memory for a timer");
    *chore = (struct chore){
        .next = loop->chores, .place = &loop->chores, .loop = loop, .timer.kind = TIMER_CHORE, .due = due};
    if (chore->next)
        chore->next->place = &chore->next;
    loop->chores = chore;
    return 0;
}

void chore_in(struct chore *chore, int64_t delay)
{
    if (delay < 0)
        timer_cancel(&chore->loop->timers, &chore->timer);
    else
        timer_arm(&chore->loop->timers, &chore->timer, chore->loop->now + delay);
}

void chore_end(struct chore *chore)
{
    struct timers *timers = &chore->loop->timers;
    timer_cancel(timers, &chore->timer);
    timers_release(timers, 1);
    *chore->place = chore->next;
    if (chore->next)
        chore->next->place = chore->place;
}

void chore_fired(struct timer *timer)
{
    struct chore *chore = (struct chore *)(void *)((char *)timer - offsetof(struct chore, timer));
    chore->due(chore);
}

void chores_hurry(struct loop *loop)
{
    for (struct chore *chore = loop->chores, *next; chore; chore = next) {
        next = chore->next;
        chore->due(chore);
    }
}
