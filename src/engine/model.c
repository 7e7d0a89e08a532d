#include "engine/model.h"
#include "base/error.h"
#include <string.h>

static const struct placement *const placements[] = {&placement_iterative, &placement_fork, &placement_thread,
                                                     &placement_prefork, &placement_prethread};
static const struct poller *const pollers[] = {&poller_blocking, &poller_select, &poller_poll, &poller_epoll,
                                               &poller_uring};

enum { PLACEMENTS = sizeof placements / sizeof *placements, POLLERS = sizeof pollers / sizeof *pollers };

static bool is_named(const char *name, const char *text, size_t size)
{
    return strlen(name) == size && memcmp(name, text, size) == 0;
}

static const struct placement *placement_named(const char *text, size_t size)
{
    for (int i = 0; i < PLACEMENTS; i++)
        if (is_named(placements[i]->name, text, size))
            return placements[i];
    return NULL;
}

static const struct poller *poller_named(const char *text, size_t size)
{
    for (int i = 0; i < POLLERS; i++)
        if (is_named(pollers[i]->name, text, size))
            return pollers[i];
    return NULL;
}

static int not_a_model(const char *name)
{
    return fail(
        PARLEY_USAGE,
        "model '%s' is not known: say PLACEMENT+POLLER or either half, with a placement of iterative, fork, "
        "thread, prefork, prethread and a poller of blocking, select, poll, epoll, uring",
        name);
}

int model_parse(struct model *model, const char *name)
{
    const char *plus = strchr(name, '+');
    size_t half = plus ? (size_t)(plus - name) : strlen(name);
    struct model parsed = {placement_named(name, half), NULL};
    if (plus)
        parsed.poller = poller_named(plus + 1, strlen(plus + 1));
    else if (parsed.placement)
        parsed.poller =
            poller_named(parsed.placement->default_poller, strlen(parsed.placement->default_poller));
    else if ((parsed.poller = poller_named(name, half)))
        parsed.placement = &placement_prethread;
    if (!parsed.placement || !parsed.poller)
        return not_a_model(name);
    *model = parsed;
    return 0;
}
