#include "load/result.h"

int load_conditions_fill(struct load_conditions *conditions, const struct load_plan *plan)
{
    conditions->connections = plan->connections;
    return 0;
}
