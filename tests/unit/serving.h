/* A server run in a thread of the test, and clients that are plain sockets. */
#ifndef UNIT_SERVING_H
#define UNIT_SERVING_H

#include <parley.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/sanitized.h"

enum { PATIENCE = IS_SANITIZED ? 60000 : 8000 /* ms */, REASONS = PARLEY_REFUSED + 1 };

/* What handlers saw, in memory that worker processes share. */
struct witness {
    atomic_int opened, received, ended, drained, timed, closed;
    atomic_int reasons[REASONS];
    atomic_int misuse; /* a callback before `opened`, after `closed`, or while paused */
    atomic_int at_once, most_at_once;
    atomic_ullong bytes;
    atomic_ullong number; /* of a test's own, as are: */
    atomic_int flag, other;
};
extern struct witness *witness;

/* The witnessing callbacks keep this first in the connection's state. */
struct seen {
    int phase; /* 1 opened, 2 closed */
    bool paused;
};
void saw_opened(parley_conn *conn);
void saw_received(parley_conn *conn, size_t size);
void saw_ended(parley_conn *conn);
void saw_drained(parley_conn *conn);
void saw_timed(parley_conn *conn);
void saw_closed(parley_conn *conn, parley_reason reason);

#define WITNESS(...)                                                                                         \
    PARLEY_HANDLER(.name = "test", .state_size = sizeof(struct seen), .opened = saw_opened,                  \
                   .closed = saw_closed, __VA_ARGS__)

/* An echo that is witnessed. */
extern const parley_handler witnessed_echo;
void echo_received(parley_conn *conn, const void *bytes, size_t size);

/* ---- the server: one at a time ---- */

extern parley_server *server;
extern int port;

/* Makes it, with options in pairs ended by NULL; nothing listens or runs yet. */
void server_make(const parley_handler *handler, const char *model, const char *const *options);
/* ... and listens on a free port of 127.0.0.1. */
void server_make_listening(const parley_handler *handler, const char *model, const char *const *options);
/* Runs it in a thread. */
void server_run(void);
/* All of this. */
void server_start(const parley_handler *handler, const char *model, const char *const *options);
/* Waits until parley_run() has returned, frees the server, and gives its result. */
int server_wait(void);
/* parley_stop(), and the same. */
int server_stop(void);
/* The sentence parley_run() failed with. */
extern char server_sentence[1024];

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- models ---- */

enum { MODELS = 25 };
extern const char *const models[MODELS];
/* The one under test now; said when a test fails. */
extern const char *model_now;
bool model_has(const char *model, const char *half);
/* Its connections live in other processes. */
bool model_forks(const char *model);
/* Calls the test once for each model (that has one of the halves, NULL all), witness cleared. */
void in_models(const char *halves, void (*test)(const char *model));

/* ---- clients ---- */

int client_open(void);
/* The same, or -1 and errno. */
int client_try(void);
void client_say(int fd, const void *bytes, size_t size);
/* Reads exactly these bytes. */
void client_hear(int fd, const void *bytes, size_t size);
/* Reads to the end: 0 after FIN, or the errno value of the failure; `*size` bytes came before. */
int client_hear_end(int fd, size_t *size);
void client_finish(int fd); /* SHUT_WR */
/* Children of this process have copies of its clients' descriptors, so a close(2) alone ends nothing. */
void client_leave(int fd);
void client_reset(int fd); /* RST */
/* Sends `size` bytes of a pattern from another thread, reads as many back, and compares. */
void client_echo_bulk(int fd, size_t size);
/* A whole short life against an echo. */
void client_is_served(void);

/* ---- waiting ---- */

/* Waits for a condition, and fails the test after PATIENCE ms. */
#define UNTIL(condition)                                                                                     \
    do {                                                                                                     \
        struct timespec nap_ = {.tv_nsec = 1000000};                                                         \
        int left_ = PATIENCE;                                                                                \
        while (!(condition) && left_-- > 0)                                                                  \
            nanosleep(&nap_, NULL);                                                                          \
        if (left_ <= 0)                                                                                      \
            fail_msg("still not: %s", #condition);                                                           \
    } while (0)

/* Fixtures: the group's own, and each test's. */
int serving_prepare(void **state);
int serving_check(void **state);
int serving_begin(void **state);
int serving_end(void **state);
#define SERVER_TEST(test) cmocka_unit_test_setup_teardown(test, serving_begin, serving_end)

#endif
