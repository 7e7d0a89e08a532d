#include "base/error.h"
#include "load/merge.h"
#include "load/surroundings.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"closed loop", "open loop", "churn", NULL};

/* What the mode begins with; "load" when it is none that we know. */
static const char *kind_of(const struct load_conditions *conditions)
{
    for (const char *const *kind = kinds; *kind && conditions->mode; kind++)
        if (strncmp(conditions->mode, *kind, strlen(*kind)) == 0)
            return *kind;
    return "load";
}

int load_conditions_compare(const struct load_conditions *one, const struct load_conditions *other)
{
    if (kind_of(one) == kind_of(other) && (one->rate > 0) == (other->rate > 0))
        return 0;
    return fail(PARLEY_USAGE,
                "\"%.80s\" and \"%.80s\" are different kinds of load: their latencies do not add up",
                one->mode ? one->mode : "?", other->mode ? other->mode : "?");
}

/* ---- texts ---- */

/* Whether one of the words of a list, which `separator` stands between, is this one. */
static bool lists(const char *list, const char *word, const char *separator)
{
    size_t size = strlen(word);
    const char *end;
    for (;; list = end + strlen(separator)) {
        end = strstr(list, separator);
        size_t length = end ? (size_t)(end - list) : strlen(list);
        if (length == size && memcmp(list, word, size) == 0)
            return true;
        if (!end)
            return false;
    }
}

/* Adds a text that is not there yet. */
static int merge_text(char **into, const char *from, const char *separator)
{
    char *both = NULL;
    if (!from || (*into && lists(*into, from, separator)))
        return 0;
    if (asprintf(&both, "%s%s%s", *into ? *into : "", *into ? separator : "", from) < 0)
        return -1;
    free(*into);
    *into = both;
    return 0;
}

static int merge_texts(struct load_conditions *into, const struct load_conditions *from)
{
    return merge_text(&into->command_line, from->command_line, "; ") |
           merge_text(&into->target, from->target, ", ") | merge_text(&into->kernel, from->kernel, ", ") |
           merge_text(&into->processor, from->processor, ", ") |
           merge_text(&into->version, from->version, ", ") | merge_text(&into->host, from->host, ", ");
}

static int merge_mode(struct load_conditions *into)
{
    const char *kind = kind_of(into);
    char *mode = load_mode(kind, into->rate, into->depth);
    if (!mode)
        return -1;
    free(into->mode);
    into->mode = mode;
    return 0;
}

/* ---- numbers ---- */

/* What differs is not known of the whole. */
#define KEEP_IF_SAME(into, from) ((into) = (into) == (from) ? (into) : 0)

static void merge_numbers(struct load_conditions *into, const struct load_conditions *from)
{
    bool same_machine = into->host && from->host && lists(into->host, from->host, ", ");
    if (!same_machine)
        into->processors += from->processors;
    into->connections += from->connections;
    into->threads += from->threads;
    into->idle += from->idle;
    into->rate += from->rate;
    into->generators += from->generators;
    into->duration = fmax(into->duration, from->duration);
    into->warmup = fmax(into->warmup, from->warmup);
    into->ramp = fmax(into->ramp, from->ramp);
    KEEP_IF_SAME(into->depth, from->depth);
    KEEP_IF_SAME(into->message_size, from->message_size);
    KEEP_IF_SAME(into->reply_size, from->reply_size);
}

int load_conditions_merge(struct load_conditions *into, const struct load_conditions *from)
{
    merge_numbers(into, from);
    if (merge_texts(into, from) != 0 || merge_mode(into) != 0)
        return fail(PARLEY_RESOURCE, "no memory for the conditions");
    return 0;
}
