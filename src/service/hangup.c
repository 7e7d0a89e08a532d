#include "service/service.h"

const parley_handler hangup_handler = PARLEY_HANDLER(.name = "hangup", .opened = parley_finish);
