/* Real sockets on this machine for tests, and what they must leave behind: nothing. */
#ifndef UNIT_LOOPBACK_H
#define UNIT_LOOPBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"
#include "net/socket.h"

/* A listener on `host` (numeric); `*port` 0 takes a free one and says which. */
int loopback_listen(const char *host, int *port, int backlog);

/* A port of 127.0.0.1 and ::1 that nobody listens on. */
int loopback_free_port(void);

/* A listener whose queue is full: connecting to it gets no answer. Close it with black_hole_close(). */
struct black_hole {
    int listener;
    int clients[8];
};
struct black_hole black_hole_open(const char *host, int *port);
void black_hole_close(struct black_hole *hole);

/* Endpoint of a printf-like text; asserts that it parses. */
struct endpoint endpoint_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* resolve() and socket_listen() of the first address. */
int listen_on(const char *text, int family, const struct socket_options *options);

/* Asserts on a status and on a part of parley_error(). */
void check_failure(int status, parley_status expected, const char *sentence);

/* Group fixtures: what is open and runs before the tests must be the same after them. */
int remember_baseline(void **state);
int check_baseline(void **state);

/* Threads beyond the baseline; and waits up to 5 s until there are none. */
size_t extra_threads(void);
bool threads_gone(void);

#endif
