#include "engine/timer.h"
#include "base/sys.h"
#include <string.h>

/* Not by realloc(3), which copies, and thereby touches, what is merely reserved. */
static int grow(struct timers *timers, uint32_t room)
{
    struct timer_entry *heap = sys.malloc((room + (size_t)1) * sizeof *heap);
    if (!heap)
        return -1;
    if (timers->count > 0)
        memcpy(heap + 1, timers->heap + 1, timers->count * sizeof *heap);
    sys.free(timers->heap);
    timers->heap = heap;
    timers->room = room;
    return 0;
}

int timers_reserve(struct timers *timers, uint32_t count)
{
    uint32_t reserved = timers->reserved + count;
    if (reserved > timers->room && grow(timers, reserved + timers->reserved / 2 + 8) < 0)
        return -1;
    timers->reserved = reserved;
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

static void put(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    timers->heap[place] = entry;
    entry.timer->place = place;
}

static void sift_up(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    while (place > 1 && timers->heap[place / 2].due > entry.due) {
        put(timers, place, timers->heap[place / 2]);
        place /= 2;
    }
    put(timers, place, entry);
}

static void sift_down(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    for (uint32_t child; (child = place * 2) <= timers->count; place = child) {
        if (child < timers->count && timers->heap[child + 1].due < timers->heap[child].due)
            child++;
        if (timers->heap[child].due >= entry.due)
            break;
        put(timers, place, timers->heap[child]);
    }
    put(timers, place, entry);
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
    uint32_t place = timer->place;
    if (!place)
        return;
    struct timer_entry last = timers->heap[timers->count--];
    timer->place = 0;
    if (last.timer == timer)
        return;
    if (place > 1 && timers->heap[place / 2].due > last.due)
        sift_up(timers, place, last);
    else
        sift_down(timers, place, last);
}

void timer_arm(struct timers *timers, struct timer *timer, int64_t due)
{
    timer_cancel(timers, timer);
    if (due < timers->earliest)
        due = timers->earliest;
    sift_up(timers, ++timers->count, (struct timer_entry){due, timer});
}

void timers_fire(struct timers *timers, int64_t now, void (*fire)(struct timer *timer))
{
    timers->earliest = now + 1;
    while (timers->count > 0 && timers->heap[1].due <= now) {
        struct timer *timer = timers->heap[1].timer;
        timer_cancel(timers, timer);
        fire(timer);
    }
    timers->earliest = 0;
}
