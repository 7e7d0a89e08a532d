#include "load/condition.h"
#include "engine/error.h"
#include <stdio.h>

int condition_parse(struct condition *condition, const char *text)
{
    (void)condition;
    return fail(PARLEY_USAGE, "\"%.60s\" is no condition", text);
}

bool condition_holds(const struct condition *condition, const struct load_result *result, char *why,
                     size_t room)
{
    (void)condition, (void)result;
    snprintf(why, room, "not measured");
    return true;
}

bool condition_kept(const struct condition *condition, const struct load_result *result, char *what,
                    size_t room)
{
    (void)condition, (void)result;
    snprintf(what, room, "not measured");
    return false;
}
