/* Failing members of `sys`, in worker processes too: a plan per call. */
#ifndef UNIT_INJECTING_H
#define UNIT_INJECTING_H

#include <stdatomic.h>
#include <stdbool.h>

enum call {
    CALL_SOCKET,
    CALL_BIND,
    CALL_LISTEN,
    CALL_ACCEPT,
    CALL_RECV,
    CALL_SEND, /* send and sendmsg */
    CALL_SHUTDOWN,
    CALL_SETSOCKOPT,
    CALL_EPOLL_CREATE,
    CALL_EPOLL_CTL,
    CALL_EPOLL_WAIT,
    CALL_POLL,
    CALL_SELECT,
    CALL_EVENTFD,
    CALL_FORK,
    CALL_THREAD,
    CALL_ALLOCATE, /* malloc, calloc and realloc */
    CALLS
};

enum { ALWAYS = 1 << 30 };

/* The next `times` calls fail with `error`, after `skip` that do not. */
void plan(enum call call, int error, int skip, int times);
/* Every second recv and send says EAGAIN; all of them move one byte at most. */
void plan_trickle(bool refuse, bool single);
/* Nothing fails any more. */
void plan_nothing(void);
/* How often it was called since plan_nothing(), failures included; and how many failed. */
int calls_of(enum call call);
int failures_of(enum call call);

/* Group fixtures: serving's own, and the table. */
int injecting_prepare(void **state);
int injecting_check(void **state);
/* Each test's teardown. */
int injecting_end(void **state);
#define INJECTED_TEST(test) cmocka_unit_test_setup_teardown(test, serving_begin, injecting_end)

/* A new client is served, some time soon: those before it may be turned away. */
void client_is_served_at_last(void);

#endif
