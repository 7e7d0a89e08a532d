/* The connections of the load generator and the closed loop that keeps them busy. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include "histogram.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum traffic_mode { TRAFFIC_PINGPONG, TRAFFIC_CHURN, TRAFFIC_IDLE };

struct connection {
    int fd;
    unsigned in_flight; /* messages started and not yet answered */
    unsigned oldest;    /* where in `started` the oldest of them stands */
    size_t unsent;      /* bytes of them the kernel did not take yet */
    size_t sent_offset; /* the stream's position within a message, on the way out */
    size_t received;    /* and on the way back */
    uint64_t *started;  /* when each message in flight was started: a ring of `depth` */
};

struct traffic {
    enum traffic_mode mode;
    struct sockaddr_in server;
    unsigned count, depth;
    size_t size;
    bool running;   /* answered messages are followed by new ones */
    bool verifying; /* contents are compared too, not only counted */
    int epoll;
    char *pattern; /* depth + 1 messages in a row, so that any run of them is one send */
    char *buffer;
    struct connection *connections;
    uint64_t messages, errors, in_flight, bytes_out, bytes_back;
    struct histogram latencies;
};

uint64_t clock_now(void);

/* Allocates; except for churn it also connects all and makes one verified exchange on each. */
bool traffic_open(struct traffic *traffic);

/* Keeps all connections busy for so long, then waits for the answers to what is in flight. */
void traffic_run(struct traffic *traffic, double seconds);

/* Forgets what was counted, before a measured run. */
void traffic_reset(struct traffic *traffic);

#endif
