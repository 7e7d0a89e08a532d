#include "service/service.h"

/* Without a callback the engine reads and forgets. */
const parley_handler discard_handler = PARLEY_HANDLER(.name = "discard");
