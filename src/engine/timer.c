#include "engine/timer.h"
#include "engine/sys.h"

int timers_reserve(struct timers *timers, uint32_t count)
{
    if (timers->reserved + count > timers->room) {
        uint32_t room = timers->reserved + timers->reserved / 2 + count + 8;
        struct timer **heap = sys.realloc(timers->heap, (room + (size_t)1) * sizeof *heap);
        if (!heap)
            return -1;
        timers->heap = heap;
        timers->room = room;
    }
    timers->reserved += count;
    return 0;
}

void timers_release(struct timers *timers, uint32_t count)
{
    timers->reserved -= count;
}

void timers_close(struct timers *timers)
{
    sys.free(timers->heap);
    *timers = (struct timers){0};
}

static void put(struct timers *timers, uint32_t place, struct timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void sift_up(struct timers *timers, uint32_t place, struct timer *timer)
{
    while (place > 1 && timers->heap[place / 2]->due > timer->due) {
        put(timers, place, timers->heap[place / 2]);
        place /= 2;
    }
    put(timers, place, timer);
}

static void sift_down(struct timers *timers, uint32_t place, struct timer *timer)
{
    for (uint32_t child; (child = place * 2) <= timers->count; place = child) {
        if (child < timers->count && timers->heap[child + 1]->due < timers->heap[child]->due)
            child++;
        if (timers->heap[child]->due >= timer->due)
            break;
        put(timers, place, timers->heap[child]);
    }
    put(timers, place, timer);
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
    uint32_t place = timer->place;
    if (!place)
        return;
    struct timer *last = timers->heap[timers->count--];
    timer->place = 0;
    if (last == timer)
        return;
    if (place > 1 && timers->heap[place / 2]->due > last->due)
        sift_up(timers, place, last);
    else
        sift_down(timers, place, last);
}

void timer_arm(struct timers *timers, struct timer *timer, int64_t due)
{
    timer_cancel(timers, timer);
    timer->due = due;
    sift_up(timers, ++timers->count, timer);
}

int64_t timers_wait(const struct timers *timers, int64_t now)
{
    if (timers->count == 0)
        return -1;
    int64_t due = timers->heap[1]->due;
    return due > now ? due - now : 0;
}

void timers_fire(struct timers *timers, int64_t now, void (*fire)(struct timer *timer))
{
    while (timers->count > 0 && timers->heap[1]->due <= now) {
        struct timer *timer = timers->heap[1];
        timer_cancel(timers, timer);
        fire(timer);
        /* One that was armed again with no delay would come round for ever: it waits for a later clock. */
        if (timer->place && timer->due <= now)
            timer_arm(timers, timer, now + 1);
    }
}
