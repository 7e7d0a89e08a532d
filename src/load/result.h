/* What came of a load. Filled by load_run(), or read back from JSON by `load merge`. */
#ifndef LOAD_RESULT_H
#define LOAD_RESULT_H

#include "load/histogram.h"
#include "load/plan.h"

/* What can go wrong with a connection or a request. */
enum load_fault {
    FAULT_CONNECT,    /* refused, unreachable, timed out */
    FAULT_LOCAL,      /* ours: EMFILE, EADDRNOTAVAIL, memory; no connection was tried */
    FAULT_RESET,      /* the peer reset it, or the network did */
    FAULT_CLOSED,     /* the peer finished before its reply was whole, or an idle one at all */
    FAULT_MISMATCH,   /* --verify: a wrong byte; or bytes nobody asked for */
    FAULT_UNANSWERED, /* sent or intended in time, no reply when the grace was over */
    FAULTS
};

/* "connect", "local", "reset", "closed", "mismatch", "unanswered": the keys of the JSON's `errors_by`. */
const char *fault_name(enum load_fault fault);

enum { FAULT_SENTENCE = 384 }; /* of TLS it may hold a fingerprint, and what to do with it */
struct load_faults {
    uint64_t count;
    char first[FAULT_SENTENCE]; /* the sentence of the first one */
};

/* Where the processors' time went, in shares of the measured time; negative: not known. */
struct load_limits {
    double generator_busy; /* the busiest of our threads: 1 is a whole processor */
    double generator_cpu;  /* s of processor time, all threads, in the window */
    double server_busy;    /* the server's processes together, in processors; -1: not on this machine, or not
                              ours to look at */
    double server_cpu;     /* s, in the window */
    unsigned server_processes;
    double machine_idle; /* of all processors */
    char sentence[480];  /* which side was the limit, said plainly */
    double stood_still;  /* s: how late the generator came at most to what it waited for */
};

/* A second of the run, or less at its end. */
struct load_interval {
    double start, length; /* s since the measured window began; warm-up intervals begin below 0 */
    uint64_t requests, errors, bytes_in, bytes_out;
    unsigned open;             /* connections established at its end */
    struct histogram response; /* from the intended time */
};

/* --find-rate: what was tried, and what came of it. */
enum { LOAD_TRIALS = 40 };
struct load_search {
    char promise[288]; /* "p99<5ms", "p99<5ms and errors<1%"; "" when there was no search */
    double
        found; /* the highest rate that kept it, confirmed by a second trial where there was room; 0 none */
    double broken;     /* the lowest that did not; 0 none */
    bool by_generator; /* that one was beyond the generator, not the server */
    struct load_trial {
        double rate;
        bool kept;
        char what[192]; /* "p99 is 3.1 ms" */
    } trials[LOAD_TRIALS];
    unsigned trial_count;
    char sentence[480];
};

struct load_result {
    bool valid;            /* the numbers are the server's, not ours */
    char invalid[256];     /* why not */
    int interrupted;       /* the signal that ended it early, or 0 */
    double since;          /* s since the epoch: when the measured window began */
    double elapsed;        /* s of the measured window */
    uint64_t requests;     /* answered in the window (churn: exchanges) */
    uint64_t replies_late; /* answered in the grace after it: in the histograms, not in the rate */
    uint64_t intended;     /* open loop: requests the schedule had in the window */
    uint64_t bytes_in, bytes_out;
    uint64_t connects;              /* established, in the window */
    int64_t resumed;                /* of these, by resuming a TLS session; -1: that was not asked for */
    unsigned open_least, open_most; /* connections held at once, in the window */
    unsigned idle_held;             /* silent connections established */
    struct load_faults faults[FAULTS];

    struct histogram response; /* from the intended time to the reply; a closed loop's is its service time */
    struct histogram service;  /* from the actual send to the reply */
    struct histogram connect;  /* from connect(2) to established */
    struct histogram first_byte; /* churn: from connect(2) to the first byte of the reply */
    struct histogram lag;        /* open loop: how late a request was sent that nothing but we held up */

    struct load_interval *intervals;
    size_t interval_count;
    struct load_limits limits;
    struct load_search search;

    /* The plan in words and numbers, as the reports show it: surroundings.c. Allocated texts, NULL: unknown.
     */
    struct load_conditions {
        char *command_line, *target, *mode; /* mode: "closed loop", "open loop at 50000/s", "churn" */
        char *kernel, *processor, *version, *host;
        unsigned processors, connections, threads, idle, depth;
        double rate, duration, warmup, ramp; /* requests/s; s */
        uint64_t message_size, reply_size;
        unsigned generators; /* merged: how many results; else 1 */
    } conditions;
};

/* 0, or PARLEY_RESOURCE with its sentence. Close it either way. */
int load_result_open(struct load_result *result);
void load_result_close(struct load_result *result);
/* Sum of all faults. */
uint64_t load_errors(const struct load_result *result);
/* What was said of the first kind that happened; "" when there was none. */
const char *load_first_error(const struct load_result *result);
/* Requests a second in the window. */
double load_rate(const struct load_result *result);
/* A further interval at the end of the list, its histogram open; NULL without memory. */
struct load_interval *load_result_add_interval(struct load_result *result);
/* Notes a fault; the first sentence is kept. */
void load_fault_note(struct load_faults *faults, enum load_fault fault, uint64_t count, const char *sentence);

/* ---- surroundings.c ---- */

/* Fills result->conditions from the plan and this machine: 0 or a parley_status. */
int load_conditions_fill(struct load_conditions *conditions, const struct load_plan *plan);

#endif
