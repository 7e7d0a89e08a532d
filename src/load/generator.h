/* The load of one thread: its clients, its schedule, and what it counts. run.c starts the threads,
 * generator.c keeps the pace, client.c connects, exchange.c sends and receives.
 *
 * A generator is the pacer of its worker's loop, and everything in it belongs to that thread. What threads
 * share is in struct run. */
#ifndef LOAD_GENERATOR_H
#define LOAD_GENERATOR_H

#include "engine/loop.h"
#include "engine/timer.h"
#include "load/clock.h"
#include "load/message.h"
#include "load/tally.h"
#include <stdatomic.h>

/* Requests that went out together. */
struct batch {
    int64_t sent_at;
    uint64_t count; /* those that are not answered yet */
};

/* One simulated client: a connection after the other, if need be. With thousands of them each message finds
 * its client outside the cache: what it needs stands together, in one pair of lines. */
struct client {
    _Alignas(128) struct generator *generator;
    parley_conn *conn;     /* NULL: there is none */
    uint64_t sent;         /* requests, on all its connections, */
    uint64_t done;         /* ... those that came to an end, */
    struct batch *batches; /* under way: a ring of plan->depth */
    unsigned oldest, batch_count;
    size_t reply_left; /* bytes missing of the reply under way */
    uint64_t position; /* bytes received on this connection, in clear */

    uint64_t first;     /* requests before this connection: its stream of messages begins there */
    unsigned index;     /* among those of all threads */
    unsigned failures;  /* to connect, in a row */
    uint64_t due;       /* open loop: requests the schedule has asked for and that are not sent */
    uint64_t skipped;   /* open loop: slots that passed before it was to connect */
    int64_t connect_at; /* when it began to connect */
    struct timer timer; /* when to connect next, ns */
    bool idle;          /* holds its connection and says nothing */
    bool settled;       /* its first attempt to connect has come to an end */
    bool astray;        /* bytes came that nobody asked for: said once */
};

struct run;

struct generator {
    struct run *run;
    struct loop *loop;
    unsigned index;
    struct client *clients;
    unsigned client_count; /* those that send; the idle ones stand behind them */
    unsigned idle_count;
    unsigned opened; /* the clients before this one have begun to connect */
    unsigned connecting, established;
    uint64_t owed;            /* requests that are under way or due */
    unsigned source;          /* the next local address */
    struct timers timers;     /* of the clients, in ns */
    uint64_t round;           /* the schedule's cursor: the next slot is of this round, */
    unsigned turn;            /* ... and of this client */
    size_t interval;          /* of the run, which is being counted */
    bool counting;            /* the measured window has begun */
    bool over;                /* ... and the load has ended */
    bool dismissed;           /* the connections are being closed */
    int64_t window, end;      /* of the run; 0: it has not started */
    int64_t leave_at;         /* dismissed: who is not gone by then is cut off */
    int64_t stopped;          /* when the counting ended; 0: it has not begun, or not ended */
    int64_t look_at;          /* when it is to look again at the latest, */
    int64_t stood_still;      /* ... and how late it came to that at most, in the window */
    double cpu_at_begin, cpu; /* s of processor time: at the window's begin, then in the window */
    unsigned open_least, open_most, idle_held;
    struct tally tally;
    struct batch *batches; /* of all clients */
};

/* Shared by the generators. Constant once they run, but for what is atomic. */
struct run {
    const struct load_plan *plan;
    struct load_result *result;
    parley_server *server;
    struct messages messages;
    struct address target;
    struct address *sources;
    size_t source_count;
    struct generator *generators;
    unsigned threads;
    struct ledger ledger;
    double slot;                /* ns between two requests of the schedule; 0: closed loop */
    atomic_uint settled;        /* clients whose first attempt has come to an end, */
    atomic_uint reached;        /* ... and was successful */
    atomic_int_least64_t start; /* when the schedule begins, may be a little later; 0: not known yet */
    atomic_bool hopeless;       /* nobody was reached: the run is called off */
};

static inline bool generator_has_started(const struct generator *generator)
{
    return generator->end != 0;
}
/* The load has ended, which the pace may come to see some turns later. */
static inline bool generator_is_over(const struct generator *generator)
{
    return generator->over || (generator_has_started(generator) && clock_ns() >= generator->end);
}
/* Spans of a run, in ns of the clock; only once its start is known. */
static inline int64_t run_start(const struct run *run)
{
    return atomic_load_explicit(&run->start, memory_order_relaxed);
}
static inline int64_t run_window(const struct run *run)
{
    return run_start(run) + (run->plan->warmup + run->plan->ramp) * NS_PER_MS;
}
static inline int64_t run_end(const struct run *run)
{
    return run_window(run) + run->plan->duration * NS_PER_MS;
}
static inline int64_t run_grace_end(const struct run *run)
{
    return run_end(run) + run->plan->grace * NS_PER_MS;
}
/* ---- generator.c ---- */

/* Of each thread: 0 or a parley_status. */
int generator_open(struct generator *generator, struct run *run, unsigned index);
void generator_close(struct generator *generator);
/* parley_server's `begin`. */
int generator_begin(struct loop *loop);
/* So many requests that were to be sent at `intended`, and were sent at `sent`, have been answered `now`. */
void generator_record(struct generator *generator, int64_t intended, int64_t sent, int64_t now,
                      uint64_t count);
/* One connection more, or less, is established. */
void generator_count_open(struct generator *generator, int change);

/* ---- schedule.c ---- */

/* The open loop: slot n is due n/R seconds after the start and belongs to client n modulo c. Hands out what
 * is due `now`; ns until the next slot, or -1 when there are no more. */
int64_t schedule_advance(struct generator *generator, int64_t now);
/* The run is broken off: what was due until `now` and has not been handed out was meant to be sent as well.
 */
void schedule_break_off(struct generator *generator, int64_t now);
/* When the schedule wants the client's request `number`. */
int64_t schedule_time(const struct client *client, uint64_t number);

/* ---- client.c ---- */

/* The handlers of every connection; the second also hears when all is sent. */
extern const parley_handler load_handler, load_handler_without_replies;
void client_connect(struct client *client);
void client_timer(struct timer *timer);
/* Something went wrong: counted where it happened in the run. */
void client_fault(struct client *client, enum load_fault fault, uint64_t count, const char *sentence);
/* Ends the connection: a churn goes on with the next. */
void client_hang_up(struct client *client);

/* ---- exchange.c ---- */

/* Sends as many requests as may be under way and are due. */
void exchange_send(struct client *client, int64_t now);
/* Bytes came, or with REPLY_FRAMED a whole reply. */
void exchange_received(parley_conn *conn, const void *bytes, size_t size);
/* The kernel has taken all that was sent. */
void exchange_drained(parley_conn *conn);
/* The server has finished. */
void exchange_ended(parley_conn *conn);
/* Neighbours begin with different messages, so that an echo to the wrong one shows. */
static inline uint64_t client_message(const struct client *client, uint64_t number)
{
    return number + (uint64_t)client->index * 7;
}
/* The end of the load leaves a client only with what was due before. */
static inline bool client_has_work(const struct client *client)
{
    return client->due > 0 || !generator_is_over(client->generator);
}
/* Requests under way. */
static inline uint64_t client_under_way(const struct client *client)
{
    return client->sent - client->done;
}

#endif
