/* Dialling: one blocking call that resolves, races and retries, for whoever may block: the dial thread
 * of a loop, the blocking poller, parley_stream. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "net/resolve.h"
#include "net/socket.h"

struct dial_options {
    const struct socket_options *socket; /* may be NULL: nodelay, nothing else */
    int family;                          /* AF_UNSPEC, AF_INET, AF_INET6 */
    const char *bind;                    /* local "address:port", "address" or ":port", numeric; NULL any */
    int64_t timeout; /* ms for everything: look-up, attempts, retries; 0: the kernel's own */
    int retries;     /* further rounds after a failed one */
    int cancel;      /* a descriptor that becomes readable to cancel, or -1 */
    /* NULL, or whether an address is passed over, as the caller itself listens there. */
    bool (*is_ours)(void *context, const struct address *address);
    /* NULL, or told what happens, for `-v`: "localhost is ::1, 127.0.0.1", "trying …". */
    void (*progress)(void *context, const char *sentence);
    void *context;
};

/* Resolves (in a thread of its own when a deadline or `cancel` must be kept: getaddrinfo(3) cannot be
 * interrupted), then races the addresses: the next attempt starts 250 ms after the last or when it
 * fails, the first connected wins, losers are closed (RFC 8305 section 5). A unix listener with a full
 * queue is tried again until the deadline. Rounds that failed are repeated `retries` times after 100 ms,
 * 200 ms, ... at most 5 s, each shortened by up to a half at random. A TCP self-connect (own address is the
 * peer's) counts as refused. Returns a connected, blocking, tuned descriptor with the peer in `*reached`,
 * or a parley_status: PARLEY_TIMEOUT names the phase ("connect 10.0.0.1:80: timed out after 3 s"),
 * PARLEY_STALE says that `cancel` called it off. */
int dial(const struct endpoint *endpoint, const struct dial_options *options, struct address *reached);

#endif
