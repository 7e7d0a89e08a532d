/* What must hold after every turn, before every sleep, and at the end. */
#include "engine/accepting.h"
#include "sim.h"

void witness_received(struct link *link)
{
    world.busy_turns = 0;
    if (link->conn && !link->conn->finishing && !link->conn->dead)
        link->active_at = the_loop()->now;
}

void witness_sent(struct link *link)
{
    world.busy_turns = 0;
    if (!link->conn || !link->conn->dead)
        link->active_at = link->progress_at = the_loop()->now;
}

size_t whole_messages(const struct link *link, size_t size)
{
    size_t suffix = world.server->options.framing.delimiter_size, count = 0;
    while (count < link->message_count &&
           link->messages[count].from + link->messages[count].size + suffix <= size)
        count++;
    return count;
}

static const struct options *options(void)
{
    return &world.server->options;
}

/* ---- a connection after settle ---- */

static bool is_past(int64_t since, int64_t span)
{
    return span > 0 && since + span <= the_loop()->now;
}

/* Who has spoken, and is still to be heard, is not idle. */
static bool is_idle_for_too_long(const struct link *link, const parley_conn *conn)
{
    bool is_to_be_heard = !conn->finishing && conn_wants_input(conn) && link->written > link->taken;
    return !is_to_be_heard && is_past(link->active_at, options()->idle);
}

/* One turn of grace: a turn that had something else to try first. */
static void judge_deadlines(struct link *link, const parley_conn *conn)
{
    if (conn->leaving) {
        MUST(conn->lingering || !is_past(link->told_at, options()->linger + 500), link, "it does not leave");
        return;
    }
    bool late =
        !conn->lingering && (is_past(link->opened_at, options()->life) || is_idle_for_too_long(link, conn) ||
                             (link->taken == 0 && is_past(link->opened_at, options()->limits.first_byte)) ||
                             (conn->queue.head && is_past(link->progress_at, options()->write_timeout)));
    link->late = late ? link->late + 1 : 0;
    MUST(link->late < 3, link, "a deadline has passed and nothing happens");
    if (link->timer_due >= 0 && !conn->finishing)
        MUST(link->timer_due > the_loop()->now || link->timer_armed_at == the_loop()->now, link,
             "its timer is late");
}

/* Once the peer has taken everything it is waited for twice at most: looks are that far apart, and not closer
 * than 50 ms. */
static void judge_lingering(struct link *link, const parley_conn *conn)
{
    int64_t most = 2 * (options()->linger > 50 ? options()->linger : 50);
    if (!conn->lingering)
        return;
    if (!link->lingers || (!conn->leaving && socket_unacknowledged(link) > link->shut))
        link->lingers_since = the_loop()->now;
    link->lingers = true;
    bool late = the_loop()->now > link->lingers_since + most;
    link->late = late ? link->late + 1 : 0;
    MUST(link->late < 3, link, "it lingers for too long");
}

/* Nothing is owed that nobody will look after. */
static void judge_debts(const struct link *link, const parley_conn *conn)
{
    size_t queued = queue_size(&conn->queue);
    bool takes = !conn->paused && !conn->finishing && queued < options()->high_water;
    MUST(!(world.plan.has_drained && link->drained_owed && queued == 0 && !conn->finishing), link,
         "drained is owed");
    MUST(!(conn->held_back && takes), link, "messages are kept back for nobody");
    MUST(!(conn->eof && !conn->held_back && takes && world.plan.has_ended && !link->ended), link,
         "ended is owed");
    MUST(!(conn->finishing && queued == 0 && !conn->lingering), link, "finished, and does not leave");
    MUST(!(conn->half_closing && queued == 0 && !conn->shut), link, "half-closed, and does not say so");
}

static void judge_link(struct loop *loop, struct link *link)
{
    const parley_conn *conn = link->conn;
    size_t queued = queue_size(&conn->queue);
    MUST(slots_find(&loop->slots, link->slot, link->generation) == conn, link, "its slot has another");
    MUST(link->stage == OPEN && conn->fd == link->fd, link, "its descriptor is not its own");
    MUST(queued <= options()->queue_max, link, "%zu bytes queued", queued);
    MUST(conn->deadline.place == 0 || loop->timers.heap[conn->deadline.place].timer == &conn->deadline, link,
         "its timer is not in its place");
    if (conn->dead) {
        MUST(conn->held > 0 || conn->is_dirty, link, "dead, held by nobody, and not freed");
        return;
    }
    MUST(conn->sent + queued == link->owed.size, link, "%zu sent and %zu queued of %zu", (size_t)conn->sent,
         queued, link->owed.size);
    judge_deadlines(link, conn);
    judge_lingering(link, conn);
    if (!conn->is_dirty)
        judge_debts(link, conn);
}

/* ---- the loop after settle ---- */

static void judge_heap(const struct timers *timers, unsigned live)
{
    uint32_t reserved = 2 + live * (world.plan.has_timed ? 2 : 1);
    MUST(timers->reserved == reserved && timers->count <= reserved && reserved <= timers->room, NULL,
         "timers: %u armed, %u reserved, room for %u, %u connections", timers->count, timers->reserved,
         timers->room, live);
    for (uint32_t i = 2; i <= timers->count; i++)
        MUST(timers->heap[i / 2].due <= timers->heap[i].due, NULL, "the heap of timers is not a heap");
}

static bool has_room_for(const struct loop *loop, unsigned more)
{
    unsigned most = options()->connections;
    return (most == 0 || loop->count + more <= most) &&
           (loop->limit == 0 || loop->count + more <= loop->limit);
}

void judge_turn(void)
{
    struct loop *loop = the_loop();
    unsigned live = 0, serving = 0;
    for (unsigned i = 0; i < world.plan.links; i++) {
        struct link *link = &world.links[i];
        if (!link->conn)
            continue;
        live++;
        serving += !link->conn->lingering;
        judge_link(loop, link);
    }
    MUST(loop->total == live && loop->count == serving, NULL,
         "%u and %u connections counted, %u and %u there", loop->total, loop->count, live, serving);
    MUST(has_room_for(loop, 0), NULL, "more connections than allowed");
    judge_heap(&loop->timers, live);
}

/* ---- before a sleep that nothing ends ---- */

static void judge_wishes(const struct link *link, const parley_conn *conn)
{
    if (conn->dead || conn->is_dirty || operations_pending(conn))
        return;
    MUST(!(conn_has_output(conn) && !conn->starved && socket_space(link) > 0), link,
         "asleep with %zu bytes to send", queue_size(&conn->queue));
    MUST(!(conn_wants_input(conn) && socket_has_input(link)), link, "asleep with bytes to receive");
}

void judge_asleep(void)
{
    const struct loop *loop = the_loop();
    for (unsigned i = 0; i < world.plan.links; i++)
        if (world.links[i].conn)
            judge_wishes(&world.links[i], world.links[i].conn);
    if (loop->listener_count == 0 || loop->draining || operations_pending(NULL))
        return;
    const struct listener *listener = &loop->listeners[0];
    bool room = has_room_for(loop, 1);
    MUST(!(room && !listener->wanted && listener->again.place == 0), NULL, "asleep, and accepts nobody");
    MUST(!(listener->wanted && first_in_backlog()), NULL, "asleep with a client at the door");
}

/* ---- the end of a connection ---- */

static bool is_plausible(const struct link *link, parley_reason reason)
{
    int64_t now = the_loop()->now;
    const struct limits *limits = &options()->limits;
    switch (reason) {
    case PARLEY_FINISHED: return link->finished;
    case PARLEY_RESET: return link->reset || link->faulted;
    case PARLEY_ABORTED: return link->aborted;
    case PARLEY_IDLE: return options()->idle > 0 && now >= link->active_at + options()->idle;
    case PARLEY_LIFETIME: return options()->life > 0 && now >= link->opened_at + options()->life;
    case PARLEY_STALLED:
        return options()->write_timeout > 0 &&
               (link->lingers || now >= link->progress_at + options()->write_timeout);
    case PARLEY_OVERFLOW: return link->overflowed;
    case PARLEY_BAD_MESSAGE: return link->broken_from <= link->taken;
    case PARLEY_TRUNCATED: return link->fin_taken;
    case PARLEY_DRAINED:
    case PARLEY_CUT: return world.stopped;
    case PARLEY_FAILED: return link->faulted || world.refused > 0;
    case PARLEY_SILENT: return limits->first_byte > 0 && now >= link->opened_at + limits->first_byte;
    case PARLEY_SLOW: return limits->rate_span > 0 && now >= link->opened_at + limits->rate_span;
    case PARLEY_QUOTA: return limits->bytes_max > 0 && link->taken + link->accepted > limits->bytes_max;
    default: return false;
    }
}

static bool is_whole(parley_reason reason)
{
    return reason == PARLEY_FINISHED || reason == PARLEY_DRAINED;
}

void judge_told(struct link *link, parley_reason reason)
{
    MUST(options()->limits.when_over.how == POLICY_MESSAGE && !link->told, link, "told twice, or unasked");
    link->overflowed |= reason == PARLEY_OVERFLOW; /* parley_send() is about to say so */
    MUST(is_plausible(link, reason), link, "told for no reason: %s", parley_reason_text(reason));
    link->told = true;
    link->told_reason = reason;
    link->told_at = the_loop()->now;
}

void judge_closed(const struct link *link, parley_reason reason)
{
    if (link->told && !link->aborted) {
        MUST(reason == link->told_reason, link, "told one reason, and closed for another");
        return;
    }
    MUST(is_plausible(link, reason), link, "closed for no reason: %s", parley_reason_text(reason));
    if (is_whole(reason))
        MUST(link->accepted == link->owed.size, link, "closed as whole with %zu bytes unsent",
             link->owed.size - link->accepted);
}

/* ---- the end of the world ---- */

/* The peers go on for a while: what the kernel took must reach those who read. */
static void judge_afterlife(struct link *link)
{
    MUST(link->stage != OPEN && link->conn == NULL, link, "left open");
    MUST(link->closed == (link->id != 0), link, "closed was forgotten");
    for (int i = 0; i < 100 && link->stage == CLOSED && !link->gone; i++)
        peer_step(link);
    if (link->closed && is_whole(link->reason) && !link->reset)
        MUST(!link->destroyed, link, "the last bytes were lost: %zu of %zu arrived", link->acked,
             link->accepted);
}

void judge_end(void)
{
    for (unsigned i = 0; i < world.plan.links; i++)
        judge_afterlife(&world.links[i]);
    MUST(world.now <= world.stopped_at + options()->drain + 500, NULL, "the drain took %lld ms",
         (long long)(world.now - world.stopped_at));
}
