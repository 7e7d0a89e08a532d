/* What a server's memory is, and what each connection that is held adds to it. */
#ifndef COMPARE_HOLD_H
#define COMPARE_HOLD_H

#include "compare/instance.h"

/* Serves itself one exchange, looks, holds `connections` that have had one each, and looks again. What cannot
 * be told stays NaN: of a service that ends its connections, or does not answer, what each adds. */
void hold_and_look(struct memory *memory, const struct instance *instance, const struct compare_plan *plan,
                   unsigned connections);

#endif
