/* From the command line to what is to be compared. */
#ifndef COMMAND_COMPARE_PLAN_H
#define COMMAND_COMPARE_PLAN_H

#include "command/command.h"
#include "compare/compare.h"

/* Fills the plan: 0, or the exit code after a complaint. */
int read_compare_plan(struct compare_plan *plan, const struct arguments *arguments);
/* Adds the models and peers of a comparison whose plan is read: the same. */
int read_candidates(struct comparison *comparison, const struct arguments *arguments);

#endif
