/* Says how late this machine wakes who sleeps, beside a measurement that wants to know: it sleeps 1 ms again
 * and again, by a schedule, so that a long halt makes all that was due in it late. Built and started by
 * lateness.py. It ends with its standard input, and then prints each lateness, in ns. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { EVERY = 1000000, SECOND = 1000000000, MOST = 300 * 1000 };

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

static void sleep_until(int64_t when)
{
    struct timespec time = {.tv_sec = when / SECOND, .tv_nsec = when % SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
        continue;
}

/* Looked at now and then only: a call for each sleep would be part of it. */
static int has_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) != 0;
}

int main(void)
{
    static int64_t late[MOST];
    size_t count = 0;
    prctl(PR_SET_TIMERSLACK, 1); /* ns */
    for (int64_t due = now_ns() + EVERY; count < MOST && (count % 16 != 0 || !has_ended()); due += EVERY) {
        sleep_until(due);
        late[count++] = now_ns() - due;
    }
    for (size_t i = 0; i < count; i++)
        printf("%lld\n", (long long)late[i]);
}
