/* A load's result made by hand, for the tests of what is written of it. */
#ifndef LOADED_H
#define LOADED_H

#include "load/result.h"

/* Opens `result` as of an open loop at 1000/s for 3 s, with a second's warm-up before: 3000 requests of which
 * a hundredth took 7.31 ms and the others 2 ms, 12 resets and 3 that stayed unanswered. */
void load_by_hand(struct load_result *result);

/* One such result, and a test's fixture: opened before it, closed after it. */
extern struct load_result loaded;
int open_loaded(void **state);
int close_loaded(void **state);

/* What `print` writes of it: allocated. Fails the test when it fails. */
char *printed_of(int (*print)(const struct load_result *, FILE *), const struct load_result *result);

/* Fails the test, showing the whole text, unless `part` is in it. */
void assert_says(const char *text, const char *part);

#endif
