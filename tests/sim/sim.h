/* A simulated kernel, network, clock and allocator under the real engine: one seed decides everything, so a
 * seed that fails fails again. The engine's loop runs in this thread; what it calls through `sys` ends here.
 *
 *     world.c     the clock, what happens next, one run          peer.c      the far ends
 *     plan.c      what a seed makes of a world                   trace.c     chance, and what happened last
 *     socket.c    recv, send, shutdown, close ...                readiness.c epoll_wait, poll, select
 *     completion.c  the sixth poller: operations held by the kernel, completed late and out of order
 *     service.c   the handler, which notes what it is told       judge.c     what must hold after every turn
 *     memory.c    the allocator */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include <parley.h>
#include <stdbool.h>
#include <stdint.h>

/* What is told to who meets a limit. */
#define SIM_MESSAGE "over"

enum { LINKS = 24, FIRST_FD = 300, FDS = 700, NEVER_READS = 1 << 30 };

/* ---- chance: all of it from the seed ---- */

uint64_t draw(void);
/* 0 .. limit - 1 */
unsigned below(unsigned limit);
unsigned between(unsigned least, unsigned most);
bool chance(unsigned percent);
/* Mostly small, sometimes large. */
unsigned some_size(unsigned most);

/* ---- one connection: the kernel's socket, the peer, and what a witness knows ---- */

struct bytes {
    unsigned char *at;
    size_t size, room;
};

void bytes_append(struct bytes *bytes, const void *from, size_t size);
void bytes_free(struct bytes *bytes);

enum stage { PLANNED, QUEUED, OPEN, CLOSED };
enum peer_end { ENDS_WHEN_SAID, ENDS_AFTER_US, NEVER_ENDS };
enum mood { ECHO, UPPER, REPLY, PRODUCE, DISCARD, MOODS };

#define NOT_SENDING SIZE_MAX

struct message {
    size_t from, size; /* of the payload, in `said` */
};

struct link {
    int number, fd;
    enum stage stage;
    uint64_t key;

    /* the peer */
    int64_t step_at; /* when it does something next, or NEVER */
    unsigned pace, segment, window, greed;
    enum peer_end end;
    unsigned resets_after; /* steps; 0: it does not */
    bool gone;             /* it will do nothing any more */
    struct bytes said;
    struct message *messages;
    size_t message_count;
    size_t broken_from; /* from here on its bytes break the framing */

    /* the socket, as the kernel has it */
    size_t written, taken;  /* of `said`: in our receive buffer, received */
    size_t accepted, acked; /* of `owed`: taken by the kernel, by the peer */
    size_t room;            /* of the send buffer */
    int64_t full_until;     /* the kernel puts it off: EAGAIN */
    int64_t starved_until;  /* it has no memory for it: ENOBUFS */
    bool fin, fin_taken;    /* the peer's end */
    bool shut;              /* ours */
    int error;              /* pending */
    bool reset, reset_told; /* by the peer */
    bool no_space, edge;
    uint32_t registered; /* events asked of epoll */
    uint64_t tag;
    bool destroyed; /* bytes of ours were lost by our own reset */
    bool resets_on_close;

    /* the witness */
    parley_conn *conn; /* from opened to closed */
    uint32_t generation, slot;
    parley_id id;
    enum mood mood;
    struct bytes owed; /* what the handler has sent, as it must go out */
    size_t heard, heard_messages;
    size_t left_to_produce;
    bool drained_owed, paused, finished, half_closed, aborted, ended, closed, overflowed, faulted;
    bool called_finish; /* by its own will, a letter or the default */
    bool lingers;
    bool told; /* that it met a limit, for: */
    parley_reason told_reason;
    int64_t told_at;
    size_t sending_from; /* where the message begins that is being given to parley_send(), or NOT_SENDING */
    parley_reason reason;
    int64_t opened_at, active_at, progress_at, lingers_since, timer_due, timer_armed_at;
    unsigned late; /* turns in which a deadline had passed */
};

/* ---- the world ---- */

struct plan {
    const struct poller *poller;
    const char *framing;
    unsigned links;
    unsigned hiccups; /* percent of calls that the kernel interrupts, cuts short or puts off */
    unsigned faults;  /* per 10,000 calls: errors of the machine */
    unsigned memory;  /* per 10,000 allocations: fail */
    unsigned chaos;   /* percent of callbacks that do something odd */
    unsigned letters; /* ms between letters; 0: none */
    bool abort;       /* a second signal */
    bool freezes;     /* the machine stands still for minutes */
    bool has_drained, has_ended, has_timed;
};

struct world {
    uint64_t seed, random;
    struct plan plan;
    int64_t now, stop_at, abort_at, letter_at, stopped_at;
    unsigned busy_turns; /* in a row that neither slept nor moved a byte */
    long blocks;         /* allocated and not freed */
    bool memory_fails, stopped, interrupted, in_callback;
    unsigned refused; /* allocations */
    struct link links[LINKS];
    parley_server *server;
    struct worker worker;
    int listener_fd; /* a real descriptor, so that fcntl() works on it */
};

extern struct world world;

#define NEVER INT64_MAX
static inline int64_t earlier_of(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* Runs the world of one seed: true if nothing was violated, else `sim_report()` has been written. */
bool sim_run(uint64_t seed);
/* The last events, and the plan, on stderr. */
void sim_tell_trace(void);
/* Only worlds with this poller; NULL: any. Changes what a seed means, so it is said when a seed fails. */
extern const char *sim_only;
/* Tells every event on stderr as it happens. */
extern bool sim_verbose;
/* Notes are kept: words cost more than the world itself, so only a world that failed is run again with them.
 */
extern bool sim_traced;
void trace_clear(void);

void make_plan(void);
void set_options(struct options *options);

/* Sleeps as the kernel would: until `ready`, at most `timeout` ms. */
void world_sleep(int64_t timeout, bool (*ready)(void));
/* Notes an event for the trace. */
void note(const struct link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the run: something that must hold did not. */
_Noreturn void violated(const struct link *link, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define MUST(condition, link, ...)                                                                           \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            violated(link, __VA_ARGS__);                                                                     \
    } while (0)

struct link *link_of_fd(int fd);
static inline struct loop *the_loop(void)
{
    return world.worker.loop;
}

/* ---- sockets ---- */

void sockets_install(void);
bool socket_has_input(const struct link *link);
size_t socket_space(const struct link *link);
ssize_t socket_take(struct link *link, void *bytes, size_t size);
ssize_t socket_give(struct link *link, const struct iovec *vectors, size_t count);
struct link *first_in_backlog(void);
/* Accepts the first in the backlog: its new descriptor, or -1 and errno. */
int socket_accept(struct sockaddr *address, socklen_t *length);
/* Bytes the peer has not taken, as SIOCOUTQ counts them. */
size_t socket_unacknowledged(const struct link *link);

/* ---- readiness ---- */

void readiness_install(void);
bool mailbox_has_letters(void);

/* ---- completions ---- */

extern const struct poller poller_sim;
/* When an operation makes progress next, and its progress. */
int64_t operations_next(void);
void operations_happen(void);
void operations_reset(void);
/* Something is on its way for this connection, or for the listener (NULL). */
bool operations_pending(const parley_conn *conn);

/* ---- peers ---- */

void peer_plan(struct link *link, int number);
void peer_step(struct link *link);
void messages_free(struct link *link);
/* The bytes of a message as they go over the wire; false: this framing cannot carry it. */
bool wire_wrap(struct bytes *wire, const void *payload, size_t size);

/* ---- the handler ---- */

parley_handler service_handler(void);
void post_some_letter(void);

/* ---- judging ---- */

/* What the engine has been told by its poller. */
void witness_received(struct link *link);
void witness_sent(struct link *link);
/* After settle. */
void judge_turn(void);
/* Nothing is ready and the loop is about to sleep: nothing may be left undone. */
void judge_asleep(void);
void judge_closed(const struct link *link, parley_reason reason);
/* It is told that it met a limit. */
void judge_told(struct link *link, parley_reason reason);
/* How many of the peer's messages lie whole in its first `size` bytes. */
size_t whole_messages(const struct link *link, size_t size);
void judge_end(void);

/* ---- memory ---- */

void memory_install(void);

#endif
