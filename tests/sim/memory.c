/* An allocator that counts, and fails when the seed says so. */
#include "sim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool refuses(void)
{
    if (!world.memory_fails || draw() % 10000 >= world.plan.memory)
        return false;
    world.refused++;
    note(NULL, "an allocation fails");
    errno = ENOMEM;
    return true;
}

static void *sim_malloc(size_t size)
{
    if (refuses())
        return NULL;
    world.blocks++;
    return malloc(size);
}

static void *sim_calloc(size_t count, size_t size)
{
    if (refuses())
        return NULL;
    world.blocks++;
    return calloc(count, size);
}

static void *sim_realloc(void *memory, size_t size)
{
    if (refuses())
        return NULL;
    world.blocks += memory == NULL;
    return realloc(memory, size);
}

static void sim_free(void *memory)
{
    world.blocks -= memory != NULL;
    free(memory);
}

void memory_install(void)
{
    sys.malloc = sim_malloc;
    sys.calloc = sim_calloc;
    sys.realloc = sim_realloc;
    sys.free = sim_free;
}

void bytes_append(struct bytes *bytes, const void *from, size_t size)
{
    if (bytes->size + size > bytes->room) {
        bytes->room = (bytes->size + size) * 2 + 256;
        bytes->at = realloc(bytes->at, bytes->room);
    }
    if (size > 0)
        memcpy(bytes->at + bytes->size, from, size);
    bytes->size += size;
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}
