/* Servers measured against each other: the models of a service, and peers.
 *
 * Each candidate is started anew for each measurement, loaded the same way, and ended; rounds take turns, so
 * that whatever else this machine does falls on all of them alike. Times are ns, processor times s. */
#ifndef COMPARE_COMPARE_H
#define COMPARE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/chart.h"
#include "load/histogram.h"
#include "load/result.h"

enum { MOST_WORKLOADS = 16, MOST_PROCESSORS = 256, REASON = 320 };

/* ---- what is asked ---- */

/* How a service is talked to. */
struct exchange {
    const char *service;
    enum reply_kind reply;
    bool speaks_first;   /* a client need send nothing */
    bool once;           /* the server ends each connection after one exchange */
    bool verify;         /* the reply is the message */
    const char *refusal; /* why it cannot be measured; NULL: it can */
};

/* NULL when there is no such service. */
const struct exchange *exchange_of(const char *service);

/* What the servers are to do in one measurement. The last one is always the churn: one connection after
 * another, an exchange each, which tells what a connection costs. */
struct workload {
    unsigned connections;
    bool churn;
};

struct processors {
    int list[MOST_PROCESSORS];
    size_t count; /* 0: none in particular */
};

struct compare_plan {
    const struct exchange *exchange;
    struct workload workloads[MOST_WORKLOADS + 1];
    size_t workload_count;
    int64_t duration; /* ms, of one measurement; its warm-up comes before */
    unsigned rounds;
    size_t size;      /* of a message */
    unsigned depth;   /* messages under way on a connection */
    unsigned workers; /* of the models that have some; 0: as many as processors */
    struct processors server, generator;
    bool may_refuse; /* a model that cannot be is no fault: it was not asked for by name */
    const char *command_line;
    /* load_run(), or what a test has instead. */
    int (*load)(const struct load_plan *plan, struct load_result *result);
};

/* The warm-up before each measurement, ms. */
int64_t compare_warmup(const struct compare_plan *plan);
/* Fills a load's plan but for the address. */
void compare_load_plan(const struct compare_plan *plan, const struct workload *workload,
                       struct load_plan *load);

/* ---- what is measured: measure.c ---- */

/* One number of each measurement, NaN when it is not known. */
enum measure {
    MEASURE_RATE, /* messages (churn: connections) a second */
    MEASURE_CPU,  /* the server's processor time for one of them, ns */
    MEASURE_P50,  /* response time, ns */
    MEASURE_P99,
    MEASURE_P999,
    MEASURE_SWITCHES,  /* context switches of the server for one of them */
    MEASURE_SERVER,    /* processors the server kept busy */
    MEASURE_GENERATOR, /* the busiest thread of the generator: at 1 it was the limit */
    MEASURES
};

/* How each is told: one table for the terminal, JSON, CSV and the page. */
struct measure_form {
    const char *key;     /* in JSON and CSV; times are in us there */
    const char *heading; /* in tables */
    const char *title;   /* of its chart */
    enum chart_unit unit;
    int better; /* 1: more is, -1: less is, 0: neither */
};
extern const struct measure_form measure_forms[MEASURES];

struct measurement {
    double values[MEASURES];
    uint64_t errors;
};

/* What came of one candidate under one workload. */
struct cell {
    struct measurement *rounds; /* those measured */
    size_t count;
    struct measurement median; /* of each number by itself; cell_settle() */
    struct measurement least, most;
    struct histogram latency; /* of all rounds together */
    uint64_t errors;
    char first_error[FAULT_SENTENCE];
};

/* Takes what a load and the server's end told. 0, or PARLEY_RESOURCE. */
int cell_add(struct cell *cell, const struct load_result *result, uint64_t switches);
void cell_settle(struct cell *cell);
/* The number that half of them do not exceed, NaN aside; of an even count the mean of the two in the middle.
 * NaN of none. Reorders them. */
double median_of(double *numbers, size_t count);
/* Whether the generator, not the server, was the limit: the rate is then a lower bound. */
bool cell_generator_bound(const struct cell *cell);

/* ---- who is measured: candidate.c ---- */

struct memory {
    double idle;                 /* bytes of the server while it serves nobody; NaN: not known */
    double per_connection;       /* bytes more for each that is held */
    unsigned held;               /* connections held for that: the most of -c, or many more */
    unsigned processes, threads; /* of the server meanwhile */
};

struct candidate {
    char *name;
    char *model;         /* "fork+blocking"; NULL: a peer */
    char **words;        /* the peer's command, NULL at its end; {port} stands for the port */
    unsigned at_once;    /* clients it serves at the same time; 0: any number */
    unsigned workers;    /* what it is told of them; 0: nothing, as it has no pool, or one of its own size */
    bool refused;        /* it said itself that it cannot */
    char reason[REASON]; /* why it was not, or not wholly, measured; "": it was */
    struct memory memory;
    struct cell cells[MOST_WORKLOADS + 1]; /* by workload */
};

struct comparison {
    const struct compare_plan *plan;
    struct candidate *candidates;
    size_t count;
    int interrupted; /* the signal that ended it early, or 0 */
    double since;    /* s since the epoch */
    double elapsed;  /* s */
};

/* Adds a model by its whole name or a half: 0, PARLEY_USAGE or PARLEY_RESOURCE. */
int comparison_add_model(struct comparison *comparison, const char *text);
/* Adds "NAME=COMMAND". The same. */
int comparison_add_peer(struct comparison *comparison, const char *text);
/* Frees the candidates. */
void comparison_close(struct comparison *comparison);
/* Whether a candidate serves as many clients at once as the workload has. */
bool candidate_takes(const struct candidate *candidate, const struct workload *workload);
/* Whether any of them failed, or answered wrongly, or was named and refused. */
bool comparison_failed(const struct comparison *comparison);

/* ---- measuring: schedule.c ---- */

/* Told before each step, for whoever shows progress; NULL none. */
typedef void compare_progress(void *context, const struct comparison *comparison,
                              const struct candidate *candidate, const struct workload *workload, size_t step,
                              size_t steps);

/* Measures everything, and leaves each candidate with its numbers or its reason. 0, or a parley_status when
 * nothing at all could be done. INT and TERM end it: `interrupted`, and what was measured is there. */
int comparison_run(struct comparison *comparison, compare_progress *progress, void *context);

/* ---- what follows: claim.c ---- */

/* The candidate whose number is best under a workload; NULL when none has it, or only one. */
const struct candidate *comparison_best(const struct comparison *comparison, size_t workload,
                                        enum measure measure);

/* What a process, and a thread, for each client costs the server, beside serving them one after another: the
 * question of Stevens' chapter 30, and of the texts that say a thread is about 30 times faster. ns of
 * processor time per connection: connect, one exchange, close. */
struct claim {
    const char *poller; /* of all three */
    double fork, thread, iterative;
    double ratio;      /* a whole connection: fork / thread */
    double ratio_over; /* what making one costs: (fork - iterative) / (thread - iterative); NaN when a thread
                          costs nothing that could be measured */
};

/* Whether the candidates have fork, thread and iterative under one poller. */
bool comparison_claim(const struct comparison *comparison, struct claim *claim);
/* In sentences. Returns `text`. */
enum { CLAIM_ROOM = 640 };
const char *claim_text(const struct claim *claim, char text[CLAIM_ROOM]);

#endif
