/* Results of generators that ran at the same time, added up to one: `parley load merge`. */
#ifndef LOAD_MERGE_H
#define LOAD_MERGE_H

#include "load/result.h"

/* Adds `from` to `into`, which holds a result already. 0, or a parley_status with its sentence: PARLEY_USAGE
 * when the two are of different kinds (an open loop's latencies count from the intended time and a closed
 * loop's do not, so no percentile of both means anything), and then `into` is as it was; PARLEY_RESOURCE
 * without memory.
 *
 * Counts and histograms add. Seconds are aligned by their distance from the start of each generator's own
 * window, so clocks need not agree to the millisecond. The window is the longest one, so the rate of
 * generators that ran for the same time is the sum of their rates. The whole is valid when each was, and when
 * they ran at the same time: windows that overlap by less than half of the shorter one make it INVALID, since
 * such rates do not add. A server's processor time is what one of them saw of it, a generator's share the
 * busiest one's. A search for a rate is of one generator, and is left out. */
int load_merge(struct load_result *into, const struct load_result *from);

/* ---- merge_conditions.c ---- */

/* Whether both are closed loops, open loops, or churns: 0, or PARLEY_USAGE with its sentence. */
int load_conditions_compare(const struct load_conditions *one, const struct load_conditions *other);
/* Adds up what adds up; texts that differ stand beside each other. 0, or PARLEY_RESOURCE with its sentence.
 */
int load_conditions_merge(struct load_conditions *into, const struct load_conditions *from);

#endif
