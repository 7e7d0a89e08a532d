/* Whether a result may be believed, and who was the limit. */
#ifndef LOAD_JUDGE_H
#define LOAD_JUDGE_H

#include "load/result.h"

/* Sets result->valid with its reason, and the sentence of result->limits, from all else in it. */
void load_judge(struct load_result *result, const struct load_plan *plan);

#endif
