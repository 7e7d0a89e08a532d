/* A witness of what a server on this machine costs: found by the address it listens on, or known by pid. It
 * looks from outside, at /proc and the processor clocks, and asks nothing of the server. */
#ifndef WITNESS_WITNESS_H
#define WITNESS_WITNESS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct witness_process {
    pid_t pid;
    uint64_t born;
};

/* The processes that were there at the beginning; their descendants are looked for at each reading. */
struct witness {
    struct witness_process *roots;
    size_t count;
};

/* Sums since each process began; the difference of two readings is what passed between them. */
struct witness_reading {
    double time; /* s of processor time: of all threads, living or not, to the ns; of children that came and
                    went between the readings too, to 10 ms, if their parent has waited for them */
    int64_t at;  /* when it was so: ns on CLOCK_MONOTONIC, the middle of the look */
    unsigned processes, threads; /* alive now */

    /* witness_read_closely() only; otherwise, and where it is not to be seen, negative. */
    int64_t switches; /* context switches of the threads that are alive */
    int64_t memory;   /* bytes it allocated, not its text; pages that processes share are counted once */
};

/* The processes that listen on this address. 0, or PARLEY_USAGE with the sentence that says why there is
 * nothing to see (another machine, nobody listens, another user's), or PARLEY_RESOURCE. Costs a look at the
 * descriptors of every process that we may look at. Close it either way. */
int witness_open(struct witness *witness, const struct sockaddr *target, socklen_t length);
/* That process and its descendants. 0, or PARLEY_USAGE: there is none. */
int witness_of_pid(struct witness *witness, pid_t pid);
void witness_close(struct witness *witness);

/* A file per process of the machine: milliseconds for a thousand. 0; PARLEY_NETWORK: none of them is there
 * any more; PARLEY_RESOURCE. From any thread. We ourselves are no part of it, unless we are the server. */
int witness_read(const struct witness *witness, struct witness_reading *reading);
/* The same, and switches and memory: a file per thread, and a walk over the pages of each process, which
 * holds it up meanwhile. Not while its time is being measured. */
int witness_read_closely(const struct witness *witness, struct witness_reading *reading);

/* Processor time of all processors of this machine, in s; the difference of two readings tells the share. */
struct machine_reading {
    double idle, total;
};
/* 0, or -1 when /proc/stat does not tell. */
int machine_read(struct machine_reading *reading);

/* Processor time of a thread of ours that has not been joined, in s. */
double thread_time(pthread_t thread);

#endif
