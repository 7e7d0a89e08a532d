/* Dialling as the tests do it: what dial() says is kept, and the calls beneath it can be made to fail. */
#ifndef UNIT_DIALLING_H
#define UNIT_DIALLING_H

#include <stdatomic.h>

#include "base/sys.h"
#include "net/dial.h"

enum { NEVER = 20000 }; /* ms: a test that takes so long has failed */

/* Look-ups run in threads that read `sys`, so the group's fixture sets it once, and the tests switch what
 * stands behind it. `real` is the table as it was. */
extern struct sys real;
extern int (*connect_instead)(int fd, const struct sockaddr *address, socklen_t length);
extern int (*socket_instead)(int family, int type, int protocol);
extern atomic_int allocations_left;
int switch_calls(void **state);

/* What the dials of this test have said, a line each, and how often they said "trying". */
extern char heard[16384];
extern int tries;
/* Called at each "trying" with its number, from 1. */
extern void (*on_try)(int number);

/* What dialling asked poll(2) to wait and waited in vain, in ms: the same on a machine that is slow. */
extern atomic_int waited;
/* Asserts that at least so much time has passed since `start`, and that no more was waited for. */
void check_waited(int64_t start, int least, int most);

/* Each test's fixture, before and after. */
int forget(void **state);
#define DIAL_TEST(test) cmocka_unit_test_setup_teardown(test, forget, forget)

struct dial_options options_with(int64_t timeout);
int dial_text(const char *text, const struct dial_options *options);

/* "HOST:PORT"; two results may be held at once. */
const char *port_text(const char *host, int port);

/* Asserts that dial_text() reached `peer`, blocking and close-on-exec; closes it. */
void check_connected(int fd, const char *peer);

#endif
