/* Limits of an open server: of what all clients take together, and of what each connection takes. */
#ifndef LIMIT_LIMITS_H
#define LIMIT_LIMITS_H

#include <parley.h>
#include <stddef.h>
#include <stdint.h>

struct framing;
struct door;
struct options;

/* What becomes of who meets a limit. */
struct policy {
    enum {
        POLICY_QUEUE, /* when-full: it waits in the kernel's queue; one that is known only once it is here, by
                         its address, is closed */
        POLICY_CLOSE,
        POLICY_RESET,  /* RST */
        POLICY_MESSAGE /* is told, then closed */
    } how;
    char message[256]; /* with a newline at its end */
};

/* What parley_set() sets; 0: no limit. */
struct limits {
    unsigned per_address, per_network; /* census.h */
    unsigned accept_rate;              /* clients a second */
    struct policy when_full;           /* a client for whom there is no place */
    struct policy when_over;           /* a connection that took all it may: over.h; never POLICY_QUEUE */
    int64_t first_byte;                /* ms */
    size_t bytes_max, message_max;
    size_t rate_bytes; /* min-rate: so many bytes in each span */
    int64_t rate_span; /* ms */
};

/* Option `name`: "close", "reset", "message=TEXT", and for when-full "queue": 0 or a parley_status with its
 * sentence. */
int limits_parse_policy(struct policy *policy, const char *name, const char *text);
/* "100", "1KiB/30s": the same. */
int limits_parse_min_rate(struct limits *limits, const char *text);

/* Brings the longest message of a framing down, or up as far as its lengths reach. */
void limits_apply(const struct limits *limits, struct framing *framing);
/* Whether they make sense together: 0 or a parley_status. */
int limits_check(const struct options *options);

/* Before the workers start: what they count together. 0 or a parley_status. */
int limits_open(parley_server *server);
void limits_close(parley_server *server);

/* Tells a client that it is turned away, and is to be followed by close(2), which with unread input would
 * send a RST instead of the FIN: so what has arrived is read and thrown away. What arrives later cannot be,
 * since nobody waits for who is turned away. Who expects TLS is told nothing in the clear. The door's
 * when-full says how. */
void limits_turn_away(const struct door *door, int fd);
/* The same, without a word. */
void limits_close_on(int fd);
/* The close(2) that follows sends a RST. */
void limits_reset_on_close(int fd);

#endif
