#include "exec/places.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "option/complain.h"

enum { USUAL_PLACES = 4096, NO_PLACE = UINT32_MAX };

/* Who has it, by process number, 0 is nobody; and for which client. A worker that was killed gives none back,
 * so those of processes that are no more are taken over. */
struct place {
    atomic_int holder;
    atomic_uint client;
};

int places_make(struct program *program, const struct arguments *arguments)
{
    const int64_t most = arguments_count(arguments, "max-children", 0);
    void *memory;

    program->is_limited = most > 0;
    program->place_count = most > 0 ? (unsigned)most : USUAL_PLACES;
    memory = mmap(NULL, program->place_count * sizeof(struct place), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return complain_call(arguments->subcommand, "mmap", "the places of --max-children");
    program->places = memory;
    return 0;
}

/* Of the address without its port (FNV-1a); any is good enough to count by. */
static unsigned name_of(const char *peer)
{
    const char *end = strrchr(peer, ':');
    unsigned name = 2166136261U;

    for (const char *next = peer; *next && next != end; next++)
        name = (name ^ (unsigned char)*next) * 16777619U;
    return name;
}

static bool takes(struct place *place, bool from_the_dead)
{
    int before = atomic_load(&place->holder);
    const bool is_dead = from_the_dead && before && kill(before, 0) < 0 && errno == ESRCH;

    return (before == 0 || is_dead) && atomic_compare_exchange_strong(&place->holder, &before, getpid());
}

bool place_take(const struct program *program, const char *peer, unsigned *place)
{
    for (int round = 0; round < 2; round++)
        for (*place = 0; *place < program->place_count; (*place)++)
            if (takes(&program->places[*place], round > 0)) {
                atomic_store(&program->places[*place].client, name_of(peer));
                return true;
            }
    *place = NO_PLACE;
    return !program->is_limited;
}

void place_hold(const struct program *program, unsigned place, pid_t pid)
{
    if (place != NO_PLACE)
        atomic_store(&program->places[place].holder, pid);
}

unsigned places_count(const struct program *program, const char *peer)
{
    const unsigned name = name_of(peer);
    unsigned count = 0;

    for (unsigned i = 0; i < program->place_count; i++)
        count += atomic_load(&program->places[i].holder) && atomic_load(&program->places[i].client) == name;
    return count > 0 ? count : 1;
}

void places_free(struct program *program)
{
    if (program->places)
        munmap(program->places, program->place_count * sizeof(struct place));
}
