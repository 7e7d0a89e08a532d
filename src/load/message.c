#include "load/message.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

/* Enough different messages that an echo of the wrong one shows, few enough to stay in the cache. */
enum { VARIETY_BYTES = 64 << 10, MOST_DIFFERENT = 1024 };

/* Letters and digits that differ from message to message, the last byte LF: what services by line expect too.
 */
static void generate(unsigned char *message, size_t size, size_t number)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    uint32_t state = (uint32_t)number * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        message[i] = (unsigned char)letters[(state >> 16) % (sizeof letters - 1)];
    }
    if (size > 0)
        message[size - 1] = '\n';
}

static size_t different(const struct load_plan *plan)
{
    size_t count = 1;
    while (!plan->message && count < MOST_DIFFERENT && count * 2 * plan->size <= VARIETY_BYTES)
        count *= 2;
    return count;
}

int messages_open(struct messages *messages, const struct load_plan *plan)
{
    *messages = (struct messages){.size = plan->size, .count = different(plan), .most = plan->depth};
    size_t all = messages->count + messages->most;
    if (plan->size > 0 && all > SIZE_MAX / plan->size)
        return fail(PARLEY_USAGE, "%zu messages of %zu bytes do not fit into memory", all, plan->size);
    messages->bytes = malloc(all * plan->size + 1);
    if (!messages->bytes)
        return fail(PARLEY_RESOURCE, "no memory for %zu messages of %zu bytes", all, plan->size);
    for (size_t i = 0; i < all; i++) {
        unsigned char *message = messages->bytes + i * plan->size;
        if (plan->message)
            memcpy(message, plan->message, plan->size);
        else
            generate(message, plan->size, i % messages->count);
    }
    return 0;
}

void messages_close(struct messages *messages)
{
    free(messages->bytes);
    *messages = (struct messages){0};
}

bool messages_match(const struct messages *messages, uint64_t first, uint64_t position, const void *bytes,
                    size_t size)
{
    size_t period = messages->count * messages->size;
    size_t at = (size_t)((first % messages->count * messages->size + position) % period);
    for (size_t done = 0, part; done < size; done += part, at = 0) {
        part = size - done < period - at ? size - done : period - at;
        if (memcmp(messages->bytes + at, (const unsigned char *)bytes + done, part) != 0)
            return false;
    }
    return true;
}
