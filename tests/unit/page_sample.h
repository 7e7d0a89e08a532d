/* Results of loads that never were, for the tests of their page. */
#ifndef PAGE_SAMPLE_H
#define PAGE_SAMPLE_H

#include "load/result.h"

/* Text that would run, hide or turn round if it got into a page as it is. */
#define HOSTILE "</title></svg><script>alert(\"x\")</script><img src=x> & '\x1b[31m' \xff \xe2\x80\xae"

/* An open loop of 30 s after a warm-up of 3 s, with a stall in its middle. */
void sample_open_loop(struct load_result *result);
/* The same, but invalid, interrupted, with errors of every kind, and with hostile texts wherever there are
 * any. */
void sample_hostile(struct load_result *result);
/* A closed loop of `intervals` s, each alike. */
void sample_closed_loop(struct load_result *result, unsigned intervals);
/* Nobody was reached: no request, no interval, nothing known. */
void sample_nothing(struct load_result *result);

#endif
