#include "limit/crowd.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/accepting.h"
#include "engine/cover.h"

enum {
    LOOK_AGAIN = 100,     /* ms */
    MILLISECOND = 1000000 /* ns */
};

/* ns: so much of a second's clients may come at once. */
static const int64_t BURST = 100 * MILLISECOND, SECOND = 1000 * MILLISECOND;

static bool turns_away(const struct door *door)
{
    return door->options->limits.when_full.how != POLICY_QUEUE;
}

static unsigned most_of(const struct door *door)
{
    return door->crowd->options->connections;
}

static unsigned rate_of(const struct door *door)
{
    return door->pace->options->limits.accept_rate;
}

static unsigned least(unsigned one, unsigned other)
{
    return one == 0 ? other : other == 0 || one < other ? one : other;
}

/* ---- shares ---- */

/* So that nobody need be told of another's clients. Who turns away has to know of all of them, and nobody can
 * be told in time to stop accepting: there a client that was to wait is closed. */
static bool is_divided(const struct parley_server *server, const struct door *crowd)
{
    bool divided = crowd->options->connections > 0;
    for (const struct door *door = &server->front; door; door = door->next)
        divided = divided && !(door->crowd == crowd && turns_away(door));
    return divided;
}

/* Workers are never more than the connections of the front door, so each has one of those at least. Others
 * begin with another worker, lest the first have all of theirs. */
static unsigned share_of(const struct loop *loop, const struct door *crowd)
{
    unsigned all = crowd->options->connections, workers = loop->server->worker_total;
    if (workers <= 1)
        return all;
    return all / workers + ((loop->worker->index + crowd->number) % workers < all % workers);
}

bool crowd_is_too_small(const parley_server *server, const struct door *door)
{
    return is_divided(server, door->crowd) && most_of(door) < server->worker_total;
}

static unsigned limit_of_model(const struct loop *loop)
{
    const struct model *model = &loop->server->options.model;
    return least(model->placement->limit, model->poller->capacity);
}

int crowd_open(struct loop *loop)
{
    const struct parley_server *server = loop->server;
    loop->limit = loop->worker->fd >= 0 ? 1 : limit_of_model(loop);
    loop->doorways = sys.calloc(doors_count(server), sizeof *loop->doorways);
    if (!loop->doorways)
        return fail(PARLEY_RESOURCE, "no memory for the doors");
    loop->doorway_count = doors_count(server);
    for (const struct door *door = &server->front; door; door = door->next) {
        struct doorway *doorway = &loop->doorways[door->number];
        doorway->is_divided = is_divided(server, door);
        doorway->share = share_of(loop, door);
        loop->bounded |= most_of(door) > 0 || rate_of(door) > 0;
    }
    return 0;
}

void crowd_close(struct loop *loop)
{
    for (unsigned i = 0; i < loop->doorway_count; i++)
        reload_let_go(&loop->doorways[i].access);
    sys.free(loop->doorways);
}

/* ---- who is here ---- */

static void step(parley_conn *conn, unsigned by)
{
    struct loop *loop = conn->loop;
    loop->count += by;
    sharing_tell(loop);
    if (conn->covered && conn_cover(conn)->door->crowd->own)
        loop->doorways[conn_cover(conn)->door->crowd->number].count += by;
}

void crowd_joined(parley_conn *conn)
{
    step(conn, 1);
}

void crowd_left(parley_conn *conn)
{
    step(conn, -1U);
}

static unsigned count_of(const struct loop *loop, const struct door *crowd)
{
    unsigned count = loop->count;
    if (crowd->own)
        return loop->doorways[crowd->number].count;
    for (unsigned i = 1; i < loop->doorway_count; i++)
        count -= loop->doorways[i].count;
    return count;
}

/* All that are here, with `more` that are about to be. Each worker tells the others how many it has. */
static unsigned tell(struct loop *loop, const struct door *crowd, unsigned more)
{
    atomic_uint *open = loop->server->shared->crowds[crowd->number].open;
    unsigned all = 0;
    if (loop->hands_over)
        return atomic_load(&crowd->clients) + more;
    atomic_store(&open[loop->worker->index], count_of(loop, crowd) + more);
    for (unsigned i = 0; i < loop->server->worker_total; i++)
        all += atomic_load(&open[i]);
    return all;
}

void crowd_bury(parley_server *server, unsigned index)
{
    for (const struct door *door = &server->front; door; door = door->next)
        if (most_of(door) > 0)
            atomic_store(&server->shared->crowds[door->crowd->number].open[index], 0);
}

unsigned crowd_clients(const parley_server *server)
{
    unsigned clients = 0;
    for (const struct door *door = &server->front; door; door = door->next)
        if (door->options->connections > 0)
            clients += atomic_load(&door->clients);
    return clients;
}

/* ---- how fast they come ---- */

static _Atomic int64_t *due_of(const struct loop *loop, const struct door *door)
{
    return &loop->server->shared->crowds[door->pace->number].accept_due;
}

/* ms until the next may come. `accept_due` is when it is due at an even pace; all workers move it. */
static int64_t wait_of(const struct loop *loop, const struct door *door)
{
    if (rate_of(door) == 0)
        return 0;
    int64_t wait = atomic_load(due_of(loop, door)) - BURST - loop->now * MILLISECOND;
    return wait > 0 ? (wait + MILLISECOND - 1) / MILLISECOND : 0;
}

/* One has come. One too many, since workers accept side by side, makes the next wait longer. */
static void move_due(struct loop *loop, const struct door *door)
{
    _Atomic int64_t *due = due_of(loop, door);
    int64_t now = loop->now * MILLISECOND, before = atomic_load(due), after;
    do
        after = (before > now ? before : now) + SECOND / rate_of(door);
    while (!atomic_compare_exchange_weak(due, &before, after));
}

/* ---- pausing ---- */

/* For what does not tell: a wait, or a place that became free while a deaf poller went to sleep. */
static void look_again(struct loop *loop, struct listener *listener, int64_t delay)
{
    if (listener->again.place == 0)
        timer_arm(&loop->timers, &listener->again, loop->now + delay);
}

/* An acceptor counts the workers it has started. */
static bool is_full(struct loop *loop, const struct door *crowd)
{
    const struct doorway *doorway = &loop->doorways[crowd->number];
    unsigned all = crowd->options->connections;
    if (all == 0)
        return false;
    if (doorway->is_divided && !loop->hands_over)
        return count_of(loop, crowd) >= doorway->share;
    return tell(loop, crowd, 0) >= all;
}

static void say_pause(struct loop *loop, const struct door *door, unsigned most, const char *limit)
{
    struct doorway *doorway = &loop->doorways[door->number];
    if (!doorway->is_paused)
        log_line(&loop->log, LOG_ACCEPT, NULL, "full%s, further clients wait: at most %u %s", door->where,
                 most, limit);
    doorway->is_paused = true;
}

/* A model that serves no more anyway is not at the user's limit, and who has no share never accepts. */
static bool is_worth_saying(const struct loop *loop, const struct door *crowd)
{
    const struct doorway *doorway = &loop->doorways[crowd->number];
    unsigned own = limit_of_model(loop);
    return loop->hands_over || (doorway->share > 0 && (own == 0 || doorway->share < own));
}

static bool is_paused(struct loop *loop, struct listener *listener, bool full)
{
    const struct door *door = listener->door;
    int64_t wait = wait_of(loop, door);
    if (full) {
        if (is_worth_saying(loop, door->crowd))
            say_pause(loop, door, most_of(door), "at once (connections)");
        if (loop->hands_over && loop->poller->deaf)
            look_again(loop, listener, LOOK_AGAIN);
        return true;
    }
    if (wait > 0) {
        say_pause(loop, door, rate_of(door), "a second (accept-rate)");
        look_again(loop, listener, wait);
        return true;
    }
    loop->doorways[door->number].is_paused = false;
    return false;
}

/* ---- turning away ---- */

/* The one too many must be accepted before it can be told. A worker that is blocked by its client cannot. */
bool crowd_has_room(struct loop *loop, struct listener *listener)
{
    const struct door *door = listener->door;
    bool has_place = loop->hands_over || loop->limit == 0 || loop->count < loop->limit;
    if (!loop->bounded)
        return has_place;
    bool full = is_full(loop, door->crowd), waits = loop->doorways[door->crowd->number].is_divided;
    if (!turns_away(door) && is_paused(loop, listener, full && waits))
        return false;
    return has_place || (full && !waits && !loop->poller->deaf);
}

int crowd_enter(struct loop *loop, const struct door *door)
{
    unsigned most = most_of(door);
    if (!loop->bounded)
        return 0;
    if (most > 0 && !loop->doorways[door->crowd->number].is_divided && tell(loop, door->crowd, 1) > most) {
        tell(loop, door->crowd, 0);
        return fail(PARLEY_NETWORK, "at most %u at once (connections)", most);
    }
    if (turns_away(door) && wait_of(loop, door) > 0)
        return fail(PARLEY_NETWORK, "at most %u a second (accept-rate)", rate_of(door));
    if (rate_of(door) > 0)
        move_due(loop, door);
    return 0;
}
