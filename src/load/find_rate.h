/* The highest rate that keeps a promise: open-loop trials, halving the gap between what was kept and what was
 * not. */
#ifndef LOAD_FIND_RATE_H
#define LOAD_FIND_RATE_H

#include "load/condition.h"

/* Searches from what a closed loop reaches. `result`, an opened one, gets the best trial's result and the
 * search (result->search). `tell`, if not NULL, hears of each trial. 0 or a parley_status, as load_run();
 * result->interrupted as there. Each trial lasts plan->duration. */
int load_find_rate(const struct load_plan *plan, const struct condition *promise, struct load_result *result,
                   void (*tell)(const struct load_trial *trial));

#endif
