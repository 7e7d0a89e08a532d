/* The nearest name for a typing error. */
#ifndef OPTION_SUGGEST_H
#define OPTION_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

struct nearest {
    const char *word;
    const char *name; /* the nearest so far; NULL: none is near */
    size_t distance;
};

/* Takes `name` when it is nearer to the word than what was considered before. */
void nearest_consider(struct nearest *nearest, const char *name);

/* Whether `word` stands in `names`, which are separated by spaces. */
bool listed_name(const char *names, const char *word);

#endif
