/* The highest rate that keeps one promise or several: open-loop trials, halving the gap between what was kept
 * and what was not. */
#ifndef LOAD_FIND_RATE_H
#define LOAD_FIND_RATE_H

#include "load/condition.h"

enum { MOST_PROMISES = 4 };

/* Searches from what a closed loop reaches. A rate is kept when each promise is, `count` of them, from 1 to
 * MOST_PROMISES; unless one is of errors there may be none. `result`, an opened one, gets the best trial's
 * result and the search (result->search). `tell`, if not NULL, hears of each trial. 0 or a parley_status, as
 * load_run(); result->interrupted as there. Each trial lasts plan->duration. */
int load_find_rate(const struct load_plan *plan, const struct condition *promises, size_t count,
                   struct load_result *result, void (*tell)(const struct load_trial *trial));

#endif
