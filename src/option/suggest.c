#include "option/suggest.h"

#include <stdio.h>
#include <string.h>

#include "option/option.h"

enum { LONGEST = 31 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t smaller = a < b ? a : b;

    return smaller < c ? smaller : c;
}

/* One row of the table of edit distances, neighbours swapped counting as one edit. */
static void distance_row(size_t rows[3][LONGEST + 1], const char *from, size_t i, const char *to)
{
    size_t *before = rows[(i - 1) % 3], *row = rows[i % 3];
    const size_t *two_before = rows[(i + 1) % 3];

    row[0] = i;
    for (size_t j = 1; j <= strlen(to); j++) {
        row[j] = least(before[j] + 1, row[j - 1] + 1, before[j - 1] + (from[i - 1] != to[j - 1]));
        if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
            row[j] = least(row[j], row[j], two_before[j - 2] + 1);
    }
}

static size_t distance_between(const char *from, const char *to)
{
    size_t rows[3][LONGEST + 1] = {{0}};

    if (strlen(from) > LONGEST || strlen(to) > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= strlen(to); j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= strlen(from); i++)
        distance_row(rows, from, i, to);
    return rows[strlen(from) % 3][strlen(to)];
}

/* A shortened name is as near as one typing error. */
void nearest_consider(struct nearest *nearest, const char *name)
{
    const size_t length = strlen(nearest->word);
    const size_t limit = length < 3 ? 1 : length < 6 ? 2 : 3;
    size_t distance = distance_between(nearest->word, name);

    if (length >= 2 && strncmp(nearest->word, name, length) == 0)
        distance = 1;
    if (distance <= limit && distance < strlen(name) && (!nearest->name || distance < nearest->distance)) {
        nearest->name = name;
        nearest->distance = distance;
    }
}

/* Copies the next of the names to `name` and returns what follows it; NULL when there is none. */
static const char *next_name(const char *names, char name[LONGEST + 1])
{
    size_t length;

    names += strspn(names, " ");
    length = strcspn(names, " ");
    if (length == 0)
        return NULL;
    snprintf(name, LONGEST + 1, "%.*s", (int)length, names);
    return names + length;
}

bool listed_name(const char *names, const char *word)
{
    char name[LONGEST + 1];

    while ((names = next_name(names, name)))
        if (strcmp(name, word) == 0)
            return true;
    return false;
}

const char *nearest_name(const char *word, const char *names)
{
    static char found[LONGEST + 1];
    char name[LONGEST + 1];
    struct nearest nearest = {.word = word};

    found[0] = '\0';
    while ((names = next_name(names, name))) {
        nearest.name = found[0] ? found : NULL;
        nearest_consider(&nearest, name);
        if (nearest.name == name)
            memcpy(found, name, sizeof found);
    }
    return found[0] ? found : NULL;
}
