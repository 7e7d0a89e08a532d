#include "load/merge.h"

int load_merge(struct load_result *into, const struct load_result *from)
{
    into->requests += from->requests;
    histogram_add(&into->response, &from->response);
    return 0;
}
