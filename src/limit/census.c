#include "limit/census.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/server.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

enum { SETS = 8192, WAYS = 8, TICKETS = 1 << 20, NO_PLACE = 0, OTHERS = 1 };

/* Behind the places of those that found no room: two for each scope. */
enum { FIRST_PLACE = OTHERS + 2 * MOST_DOORS };

/* What a count is for. Where an address has no room it is counted by its network, apart from the networks'
 * own limit. */
enum level { BY_ADDRESS, BY_NETWORK_INSTEAD, BY_NETWORK };

/* What is counted of a client, and with whom. */
struct question {
    struct network client;
    enum level level;
    unsigned scope, most;
};

struct place {
    uint64_t prefix;
    uint32_t kind;  /* scope, level and family */
    uint32_t count; /* 0: free for another */
};

struct ticket {
    atomic_uint owner; /* worker's index + 1; 0: free */
    uint32_t next;     /* free: the next one */
    uint32_t places[2];
};

struct census {
    pthread_mutex_t lock;
    uint64_t seed;       /* so that nobody can choose addresses that fall into one set */
    uint32_t free, used; /* tickets: the first that is free, and how many ever were taken, with the 0th */
    struct place places[FIRST_PLACE + SETS * WAYS];
    struct ticket tickets[TICKETS];
};

struct census_limits census_limits_of(const struct door *door)
{
    const struct limits *limits = &door->options->limits;
    return (struct census_limits){limits->per_address, limits->per_network, door->address_scope,
                                  door->network_scope};
}

struct census *census_new(void)
{
    pthread_mutexattr_t attributes;
    struct census *census =
        mmap(NULL, sizeof *census, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (census == MAP_FAILED) {
        fail_call("mmap", NULL, errno);
        return NULL;
    }
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&census->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    census->seed = (uint64_t)sys.random() << 32 | sys.random();
    census->used = 1;
    return census;
}

void census_free(struct census *census)
{
    if (!census)
        return;
    pthread_mutex_destroy(&census->lock);
    munmap(census, sizeof *census);
}

/* ---- counting ---- */

static void count(struct census *census, const struct ticket *ticket, int step)
{
    for (int i = 0; i < 2; i++)
        if (ticket->places[i] != NO_PLACE)
            census->places[ticket->places[i]].count += (uint32_t)step;
}

static void push_free(struct census *census, uint32_t ticket)
{
    atomic_store(&census->tickets[ticket].owner, 0);
    census->tickets[ticket].next = census->free;
    census->free = ticket;
}

/* Somebody was killed in the middle of a change: only owners can be trusted. */
static void count_anew(struct census *census)
{
    census->free = NO_TICKET;
    for (size_t i = 0; i < sizeof census->places / sizeof *census->places; i++)
        if (census->places[i].count > 0)
            census->places[i].count = 0;
    for (uint32_t i = 1; i < census->used; i++)
        if (atomic_load(&census->tickets[i].owner) > 0)
            count(census, &census->tickets[i], 1);
        else
            push_free(census, i);
}

static void lock(struct census *census)
{
    if (pthread_mutex_lock(&census->lock) != EOWNERDEAD)
        return;
    count_anew(census);
    pthread_mutex_consistent(&census->lock);
}

static void unlock(struct census *census)
{
    pthread_mutex_unlock(&census->lock);
}

/* ---- places ---- */

static unsigned bits_of(enum level level, sa_family_t family)
{
    if (family == AF_INET)
        return level == BY_ADDRESS ? 32 : 24;
    return level == BY_ADDRESS ? 64 : 48;
}

static uint64_t scatter(uint64_t number)
{
    number = (number ^ number >> 31) * 0x9e3779b97f4a7c15;
    number = (number ^ number >> 29) * 0xbf58476d1ce4e5b9;
    return number ^ number >> 32;
}

/* Its place, or one that it may take, or NO_PLACE. `chosen` has been chosen already, and is not counted yet.
 */
static uint32_t place_in_its_set(struct census *census, const struct question *question, enum level level,
                                 uint32_t chosen)
{
    struct network network = question->client;
    struct place wanted = {.kind = question->scope * 8 + level * 2u + (network.family == AF_INET6)};
    uint32_t vacant = NO_PLACE;
    network_widen(&network, bits_of(level, network.family));
    memcpy(&wanted.prefix, network.bytes, sizeof wanted.prefix);
    uint64_t set = scatter(scatter(wanted.prefix ^ census->seed) + wanted.kind) % SETS;
    for (uint32_t i = (uint32_t)(FIRST_PLACE + set * WAYS), end = i + WAYS; i < end; i++) {
        const struct place *place = &census->places[i];
        if (place->count == 0 && i != chosen)
            vacant = i;
        else if (place->prefix == wanted.prefix && place->kind == wanted.kind)
            return i;
    }
    if (vacant != NO_PLACE)
        census->places[vacant] = wanted;
    return vacant;
}

static uint32_t place_of(struct census *census, const struct question *question, uint32_t chosen)
{
    bool by_address = question->level == BY_ADDRESS;
    uint32_t place = place_in_its_set(census, question, question->level, chosen);
    if (place == NO_PLACE && by_address)
        place = place_in_its_set(census, question, BY_NETWORK_INSTEAD, chosen);
    return place != NO_PLACE ? place : OTHERS + 2 * question->scope + !by_address;
}

/* ---- coming and going ---- */

static int refuse(const struct question *question)
{
    char text[NETWORK_TEXT];
    struct network network = question->client;
    network_widen(&network, bits_of(question->level, network.family));
    return fail(PARLEY_NETWORK, "at most %u of %s (%s)", question->most, network_text(&network, text),
                question->level == BY_ADDRESS ? "per-address" : "per-network");
}

/* Finds the places and looks whether there is room at each; under the lock. */
static int find_places(struct census *census, const struct census_limits *limits,
                       const struct network *client, uint32_t places[2])
{
    const struct question questions[] = {
        {*client, BY_ADDRESS, limits->address_scope, limits->per_address},
        {*client, BY_NETWORK, limits->network_scope, limits->per_network},
    };
    for (int i = 0; i < 2; i++) {
        const struct question *question = &questions[i];
        places[i] = question->most > 0 ? place_of(census, question, i > 0 ? places[0] : NO_PLACE) : NO_PLACE;
        if (places[i] != NO_PLACE && census->places[places[i]].count >= question->most)
            return refuse(question);
    }
    return 0;
}

static uint32_t take_ticket(struct census *census)
{
    uint32_t ticket = census->free;
    if (ticket != NO_TICKET)
        census->free = census->tickets[ticket].next;
    else if (census->used < TICKETS)
        ticket = census->used++;
    return ticket;
}

static bool is_counted(const struct network *client)
{
    return client->family == AF_INET || client->family == AF_INET6;
}

int census_enter(struct census *census, const struct census_limits *limits, const struct network *client,
                 unsigned owner, uint32_t *ticket)
{
    uint32_t places[2];
    *ticket = NO_TICKET;
    if (!is_counted(client))
        return 0;
    lock(census);
    int status = find_places(census, limits, client, places);
    if (status == 0 && (*ticket = take_ticket(census)) == NO_TICKET)
        status = fail(PARLEY_RESOURCE, "%u connections are counted: no more can be", TICKETS - 1);
    if (status == 0) {
        struct ticket *taken = &census->tickets[*ticket];
        memcpy(taken->places, places, sizeof places);
        atomic_store(&taken->owner, owner + 1);
        count(census, taken, 1);
    }
    unlock(census);
    return status;
}

int census_ask(struct census *census, const struct census_limits *limits, const struct network *client)
{
    uint32_t places[2];
    if (!is_counted(client))
        return 0;
    lock(census);
    int status = find_places(census, limits, client, places);
    unlock(census);
    return status;
}

static void give_back(struct census *census, uint32_t ticket)
{
    atomic_store(&census->tickets[ticket].owner, 0); /* first: killed behind here, it has left */
    count(census, &census->tickets[ticket], -1);
    push_free(census, ticket);
}

void census_leave(struct census *census, uint32_t ticket)
{
    if (ticket == NO_TICKET)
        return;
    lock(census);
    give_back(census, ticket);
    unlock(census);
}

void census_bury(struct census *census, unsigned owner)
{
    lock(census);
    for (uint32_t i = 1; i < census->used; i++)
        if (atomic_load(&census->tickets[i].owner) == owner + 1)
            give_back(census, i);
    unlock(census);
}
