#include "net/patience.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/error.h"
#include "base/sys.h"

struct patience patience_start(int64_t timeout, int cancel)
{
    struct patience patience = {.timeout = timeout, .deadline = INT64_MAX, .cancel = cancel};
    int64_t now = sys.now();

    if (timeout > 0 && timeout < INT64_MAX - now)
        patience.deadline = now + timeout;
    return patience;
}

bool patience_is_over(const struct patience *patience)
{
    return patience->deadline != INT64_MAX && sys.now() >= patience->deadline;
}

/* What poll(2) takes: -1 for ever, and never more than an int holds. */
static int poll_timeout(int64_t until)
{
    int64_t left;

    if (until == INT64_MAX)
        return -1;
    left = until - sys.now();
    if (left <= 0)
        return 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

enum waited patience_wait(const struct patience *patience, struct pollfd *fds, nfds_t count, int64_t until)
{
    int64_t first = until < patience->deadline ? until : patience->deadline;
    int ready;

    fds[0] = (struct pollfd){.fd = patience->cancel, .events = POLLIN};
    for (;;) {
        ready = sys.poll(fds, count, poll_timeout(first));
        if (ready > 0)
            return fds[0].revents != 0 ? WAITED_CANCELLED : WAITED_READY;
        if (ready < 0 && errno != EINTR)
            return WAITED_FAILED;
        if (patience_is_over(patience))
            return WAITED_LATE;
        if (until != INT64_MAX && sys.now() >= until)
            return WAITED_ELAPSED;
    }
}

static void print_duration(int64_t ms, char *text, size_t size)
{
    if (ms < 1000)
        snprintf(text, size, "%lld ms", (long long)ms);
    else if (ms % 1000 == 0)
        snprintf(text, size, "%lld s", (long long)(ms / 1000));
    else
        snprintf(text, size, "%lld.%03lld s", (long long)(ms / 1000), (long long)(ms % 1000));
}

int fail_impatient(const struct patience *patience, enum waited why, const char *phase, const char *address)
{
    char duration[32];

    if (why == WAITED_FAILED)
        return fail_call("poll", address, errno);
    if (why == WAITED_CANCELLED)
        return fail(PARLEY_STALE, "%s %s: cancelled", phase, address);
    print_duration(patience->timeout, duration, sizeof duration);
    return fail(PARLEY_TIMEOUT, "%s %s: timed out after %s", phase, address, duration);
}
