/* A model is a placement and a poller, named PLACEMENT+POLLER or by either half. */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "placement/placement.h"
#include "poller/poller.h"

struct model {
    const struct placement *placement;
    const struct poller *poller;
};

/* 0, or PARLEY_USAGE with the sentence that lists what is right. */
int model_parse(struct model *model, const char *name);

#endif
