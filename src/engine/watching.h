/* Descriptors of others, watched beside the connections. Of the worker's own thread alone. */
#ifndef ENGINE_WATCHING_H
#define ENGINE_WATCHING_H

#include <stdbool.h>

struct loop;

/* A descriptor of somebody else that the loop watches for input. */
struct watch {
    int fd;
    bool wanted;     /* the poller obeys */
    unsigned polled; /* the poller's own note */
    void (*readable)(struct loop *loop, struct watch *watch);
    void *context;
    struct watch *next, **place; /* loop->watches */
};

/* The memory of a watch is its owner's. 0 or a parley_status. */
int loop_watch(struct loop *loop, struct watch *watch);
/* Before its descriptor is closed. Its memory is kept until the next turn: a report may still name it. */
void loop_unwatch(struct loop *loop, struct watch *watch);
int watching_open(struct loop *loop);
void watching_close(struct loop *loop);

#endif
