/* How long one dial may take in all, and how it is called off: shared by its look-up and its attempts. */
#ifndef NET_PATIENCE_H
#define NET_PATIENCE_H

#include <parley.h>
#include <poll.h>

struct patience {
    int64_t timeout;  /* ms, for the sentence */
    int64_t deadline; /* in sys.now()'s time; INT64_MAX none */
    int cancel;       /* readable: call it off; -1 none */
};

/* `timeout` in ms from now, 0 for ever. */
struct patience patience_start(int64_t timeout, int cancel);
bool patience_is_over(const struct patience *patience);

enum waited {
    WAITED_READY,     /* one of the descriptors has something */
    WAITED_ELAPSED,   /* `until` has come */
    WAITED_LATE,      /* the deadline has passed */
    WAITED_CANCELLED, /* `cancel` became readable */
    WAITED_FAILED,    /* poll(2) itself failed: errno */
};

/* poll(2) that keeps time and survives signals. fds[0] is the callee's own, for `cancel`; `count` includes
 * it. */
enum waited patience_wait(const struct patience *patience, struct pollfd *fds, nfds_t count, int64_t until);

/* "PHASE ADDRESS: timed out after 3 s" (PARLEY_TIMEOUT), "...: cancelled" (PARLEY_STALE), or what poll said.
 */
int fail_impatient(const struct patience *patience, enum waited why, const char *phase, const char *address);

#endif
