/* Results of generators that ran at the same time, added up to one: `parley load merge`. */
#ifndef LOAD_MERGE_H
#define LOAD_MERGE_H

#include "load/result.h"

/* Adds `from` to `into`, which holds a result already. 0, or a parley_status with its sentence, and then
 * `into` is as it was: PARLEY_USAGE when the two loads are of different kinds (a closed loop's latencies and
 * an open loop's mean different things), PARLEY_RESOURCE without memory.
 *
 * Counts and histograms add; seconds are aligned by their distance from the start of each generator's own
 * window, so clocks need not agree. The window is the longest one, so the rate of generators that ran for the
 * same time is the sum of their rates. The sum is valid when each was, and when they ran at the same time:
 * windows that overlap by less than half of the shorter one make it INVALID, since their rates do not add. */
int load_merge(struct load_result *into, const struct load_result *from);

#endif
