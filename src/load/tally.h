/* What one generator has counted. Its own thread writes it; each second it is handed to the run. */
#ifndef LOAD_TALLY_H
#define LOAD_TALLY_H

#include "load/result.h"
#include <pthread.h>

struct tally {
    /* Since the last second was handed over. */
    uint64_t requests, errors, bytes_in, bytes_out;
    struct histogram recent;           /* response times */
    uint64_t early_requests;           /* those answered before the window, */
    struct histogram early;            /* ... and their times: of the warm-up's intervals alone */
    struct load_faults faults[FAULTS]; /* the sentences are of the whole run */
    /* Of the whole run. */
    uint64_t late, connects, resumed, intended;
    struct histogram response, service, connect, first_byte, lag;
};

/* What the generators hand over: the run in intervals of a second, or longer ones in a run of many hours, so
 * that they fit into memory. Those of the ramp and the warm-up come first, and end where the window begins.
 */
struct ledger {
    pthread_mutex_t lock;
    pthread_cond_t handed;
    struct load_result *result; /* its intervals, its faults, and the sums of requests and bytes */
    unsigned generators;
    int64_t step;          /* ns of an interval; the first and the last may be shorter */
    int64_t lead;          /* ns of the ramp and the warm-up, */
    size_t before;         /* ... and their intervals */
    double duration;       /* s */
    unsigned *handed_over; /* by interval: how many generators; room for `room` */
    size_t room;
};

/* 0, or -1 without memory. */
int tally_open(struct tally *tally);
void tally_close(struct tally *tally);

/* `lead_ms` passes before the window, which lasts `duration_ms`. */
int ledger_open(struct ledger *ledger, struct load_result *result, unsigned generators, int64_t lead_ms,
                int64_t duration_ms);
/* Intervals of the whole run. */
size_t ledger_intervals(const struct ledger *ledger);
/* When an interval ends, ns since the window began. */
int64_t ledger_interval_end(const struct ledger *ledger, size_t index);
void ledger_close(struct ledger *ledger);
/* Adds what was counted since the last time to interval `index` of the run. Any thread. */
void ledger_hand_over(struct ledger *ledger, size_t index, struct tally *tally, unsigned open);
/* The generator is through: what it counted in all goes into the result. After its thread has ended. */
void ledger_settle(struct ledger *ledger, struct tally *tally);

#endif
