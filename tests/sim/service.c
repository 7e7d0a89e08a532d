/* The handler under test: does what its mood says, now and then something odd, and notes all it is told. */
#include "sim.h"
#include <stdlib.h>
#include <string.h>

struct seat {
    struct link *link;
    unsigned char zeroes[16];
};

static struct link *link_of(parley_conn *conn)
{
    return ((struct seat *)parley_state(conn))->link;
}

/* ---- calls of the handler, of letters and of the engine itself: the linker brings all of them here ---- */

int __real_parley_send(parley_conn *conn, const void *bytes, size_t size);
int __wrap_parley_send(parley_conn *conn, const void *bytes, size_t size);
void __real_parley_finish(parley_conn *conn);
void __wrap_parley_finish(parley_conn *conn);
void __real_parley_abort(parley_conn *conn);
void __wrap_parley_abort(parley_conn *conn);

static void check_full(struct link *link, size_t queued, size_t size)
{
    MUST(queued + size > world.server->options.queue_max, link, "%zu bytes refused with %zu queued", size,
         queued);
    link->overflowed = true;
}

static void check_refused(struct link *link, const parley_conn *conn, bool fitting)
{
    bool over = conn->dead || link->finished || link->half_closed || link->aborted;
    MUST(over || !fitting, link, "a send was refused without a reason: %s", parley_error());
}

/* The engine has a last word to one that met a limit, perhaps by what it is being sent, which is refused
 * then.
 */
static int tell(struct link *link, parley_conn *conn, const void *bytes, size_t size)
{
    link->owed.size = link->sending_from < link->owed.size ? link->sending_from : link->owed.size;
    size_t before = link->owed.size;
    bool fitting = wire_wrap(&link->owed, bytes, size);
    int status = __real_parley_send(conn, bytes, size);
    note(link, "is told: %d", status);
    MUST(fitting || status < 0, link, "a message that does not fit was sent");
    if (status < 0)
        link->owed.size = before;
    else if (link->sending_from != NOT_SENDING)
        link->sending_from = link->owed.size;
    if (status == 0)
        judge_told(link, (parley_reason)conn->reason);
    return status;
}

int __wrap_parley_send(parley_conn *conn, const void *bytes, size_t size)
{
    struct link *link = link_of(conn);
    size_t before = link->owed.size, accepted = link->accepted, queued = parley_queued(conn);
    unsigned refused = world.refused;
    if (conn->leaving && !link->told)
        return tell(link, conn, bytes, size);
    link->sending_from = before;
    bool fitting = wire_wrap(&link->owed, bytes, size);
    if (queued == 0)
        link->progress_at = the_loop()->now;
    size_t wrapped = link->owed.size - before;
    int status = __real_parley_send(conn, bytes, size);
    note(link, "parley_send %zu: %d", size, status);
    bool told = link->sending_from != before;
    before = link->sending_from;
    link->sending_from = NOT_SENDING;
    if (status == PARLEY_OK)
        link->drained_owed |= link->owed.size > before;
    else if (status == PARLEY_FULL)
        check_full(link, queued, wrapped);
    else if (status == PARLEY_RESOURCE)
        MUST(world.refused > refused, link, "no memory, though there was");
    else
        check_refused(link, conn, fitting);
    if (status == PARLEY_STALE || status == PARLEY_USAGE || status == PARLEY_FULL) {
        MUST(told || link->accepted == accepted, link, "a refused send has sent");
        link->owed.size = before;
    }
    return status;
}

void __wrap_parley_finish(parley_conn *conn)
{
    struct link *link = link_of(conn);
    note(link, "parley_finish");
    link->finished = true;
    __real_parley_finish(conn);
}

void __wrap_parley_abort(parley_conn *conn)
{
    struct link *link = link_of(conn);
    note(link, "parley_abort");
    link->aborted = true;
    __real_parley_abort(conn);
}

/* ---- letters ---- */

void post_some_letter(void)
{
    static const char text[] = "A LETTER FROM SOMEBODY ELSE.....";
    const struct link *link = &world.links[below(world.plan.links)];
    parley_id id = chance(95) ? link->id : draw();
    const struct framing *framing = &world.server->options.framing;
    size_t size = framing->kind == FRAMING_FIXED ? framing->max : below(sizeof text);
    note(link, "a letter is posted");
    if (chance(90))
        parley_server_send(world.server, id, text, size < sizeof text ? size : sizeof text - 1);
    else if (chance(50))
        parley_server_finish(world.server, id);
    else
        parley_server_abort(world.server, id);
}

/* ---- what it does ---- */

static void send_own(parley_conn *conn, size_t size)
{
    const struct framing *framing = &world.server->options.framing;
    if (framing->kind == FRAMING_FIXED)
        size = framing->max;
    else if (framing->kind != FRAMING_RAW && size > framing->max)
        size = framing->max + chance(5);
    char *bytes = malloc(size + 1);
    MUST(bytes, NULL, "no memory on this machine");
    uint64_t x = link_of(conn)->key ^ link_of(conn)->owed.size;
    for (size_t i = 0; i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)('A' + (x >> 60));
    }
    parley_send(conn, bytes, size);
    free(bytes);
}

static void produce(parley_conn *conn)
{
    struct link *link = link_of(conn);
    if (link->left_to_produce == 0)
        return;
    size_t size = 1 + some_size(200000);
    size = size < link->left_to_produce ? size : link->left_to_produce;
    link->left_to_produce -= size;
    send_own(conn, size);
    if (link->left_to_produce == 0 && !link->overflowed && chance(70))
        parley_finish(conn);
}

static void set_timer(parley_conn *conn, int64_t delay)
{
    struct link *link = link_of(conn);
    if (!world.plan.has_timed || conn->dead)
        return;
    link->timer_due = delay < 0 ? -1 : the_loop()->now + delay;
    link->timer_armed_at = the_loop()->now;
    parley_set_timer(conn, delay);
}

static void pause_for_a_while(parley_conn *conn)
{
    if (!world.plan.has_timed)
        return;
    note(link_of(conn), "parley_pause");
    link_of(conn)->paused = true;
    parley_pause(conn);
    set_timer(conn, below(chance(90) ? 100 : 20000));
}

static void resume(parley_conn *conn)
{
    note(link_of(conn), "parley_resume");
    link_of(conn)->paused = false;
    parley_resume(conn);
}

static void half_close(parley_conn *conn)
{
    note(link_of(conn), "parley_half_close");
    link_of(conn)->half_closed = true;
    parley_half_close(conn);
}

static void do_something_odd(parley_conn *conn)
{
    if (!chance(world.plan.chaos))
        return;
    switch (below(16)) {
    case 0:
    case 1:
    case 2: pause_for_a_while(conn); break;
    case 3: resume(conn); break;
    case 4: set_timer(conn, (int64_t)below(50) - 1); break;
    case 5: parley_finish(conn); break;
    case 6: half_close(conn); break;
    case 7: chance(30) ? parley_abort(conn) : parley_finish(conn); break;
    case 8: post_some_letter(); break;
    case 9: send_own(conn, some_size(1 << 20)); break;
    case 10: send_own(conn, 0); break;
    default: send_own(conn, below(3000)); break;
    }
}

/* ---- the callbacks ---- */

static struct link *enter(parley_conn *conn, const char *name)
{
    struct link *link = link_of(conn);
    MUST(!world.in_callback, link, "%s inside another callback", name);
    MUST(link && link->conn == conn, link, "%s of a connection that is not open", name);
    MUST(!link->finished && !link->aborted && !link->overflowed, link, "%s after the handler was through",
         name);
    note(link, "%s", name);
    world.in_callback = true;
    return link;
}

static void leave(parley_conn *conn)
{
    do_something_odd(conn);
    world.in_callback = false;
}

static void opened(parley_conn *conn)
{
    struct seat *seat = parley_state(conn);
    struct link *link = link_of_fd(conn->fd);
    static const struct seat empty;
    MUST(link && link->conn == NULL && link->id == 0, link, "opened twice, or without a socket");
    MUST(memcmp(seat, &empty, sizeof empty) == 0, link, "its state is not zeroed");
    seat->link = link;
    link->conn = conn;
    link->slot = conn->slot.number;
    link->generation = conn->slot.generation;
    link->id = parley_id_of(conn);
    link->opened_at = link->active_at = link->progress_at = the_loop()->now;
    enter(conn, "opened");
    if (link->mood == PRODUCE)
        produce(conn);
    leave(conn);
}

static void check_message(struct link *link, const void *bytes, size_t size)
{
    const struct message *message = &link->messages[link->heard_messages];
    MUST(link->heard_messages < link->message_count, link, "a message nobody sent: %zu bytes", size);
    size_t end = link->fin_taken ? link->taken : link->said.size; /* a reset may come as a mere end */
    size_t left = end > message->from ? end - message->from : 0;
    size_t wanted = message->size < left ? message->size : left; /* less: a last line, cut off */
    MUST(size == wanted, link, "message %zu has %zu bytes instead of %zu", link->heard_messages, size,
         wanted);
    MUST(size == 0 || memcmp(bytes, link->said.at + message->from, size) == 0, link,
         "message %zu has wrong bytes", link->heard_messages);
    link->heard_messages++;
}

static void check_bytes(struct link *link, const void *bytes, size_t size)
{
    MUST(size > 0 && link->heard + size <= link->taken, link, "%zu bytes after %zu of %zu", size, link->heard,
         link->taken);
    MUST(memcmp(bytes, link->said.at + link->heard, size) == 0, link, "wrong bytes received");
    link->heard += size;
}

static void answer(parley_conn *conn, const struct link *link, const unsigned char *bytes, size_t size)
{
    unsigned char *copy;
    switch (link->mood) {
    case ECHO: parley_send(conn, bytes, size); break;
    case UPPER:
        copy = malloc(size + 1);
        MUST(copy, link, "no memory on this machine");
        for (size_t i = 0; i < size; i++)
            copy[i] = bytes[i] ^ 0x20;
        parley_send(conn, copy, size);
        free(copy);
        break;
    case REPLY:
        for (unsigned replies = below(4); replies > 0; replies--)
            send_own(conn, some_size(5000));
        break;
    default: break;
    }
}

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    struct link *link = enter(conn, "received");
    MUST(!link->paused, link, "received while paused");
    MUST(!link->ended, link, "received after ended");
    MUST(parley_queued(conn) < world.server->options.high_water, link, "received above high water");
    if (world.server->options.framing.kind == FRAMING_RAW)
        check_bytes(link, bytes, size);
    else
        check_message(link, bytes, size);
    answer(conn, link, bytes, size);
    leave(conn);
}

static void drained(parley_conn *conn)
{
    struct link *link = enter(conn, "drained");
    MUST(parley_queued(conn) == 0, link, "drained with %zu bytes queued", parley_queued(conn));
    MUST(link->drained_owed, link, "drained, though nothing was sent");
    link->drained_owed = false;
    if (link->mood == PRODUCE)
        produce(conn);
    leave(conn);
}

static void ended(parley_conn *conn)
{
    struct link *link = enter(conn, "ended");
    MUST(!link->ended && link->fin_taken, link, "ended twice, or too early");
    if (world.server->options.framing.kind == FRAMING_RAW)
        MUST(link->heard == link->taken, link, "ended with %zu bytes not delivered",
             link->taken - link->heard);
    else
        MUST(link->heard_messages >= whole_messages(link, link->taken), link,
             "ended before the last message");
    link->ended = true;
    if (chance(80) && !(link->mood == PRODUCE && world.plan.has_drained))
        parley_finish(conn);
    leave(conn);
}

static void timed(parley_conn *conn)
{
    struct link *link = enter(conn, "timed");
    MUST(link->timer_due >= 0 && link->timer_due <= the_loop()->now, link, "timed too early, or unasked");
    link->timer_due = -1;
    if (link->paused)
        resume(conn);
    leave(conn);
}

static void closed(parley_conn *conn, parley_reason reason)
{
    struct link *link = link_of(conn);
    MUST(!world.in_callback, link, "closed inside another callback");
    MUST(link && link->conn == conn && !link->closed, link, "closed twice");
    note(link, "closed: %s", parley_reason_text(reason));
    judge_closed(link, reason);
    link->reason = reason;
    link->closed = true;
    link->conn = NULL;
}

parley_handler service_handler(void)
{
    parley_handler handler = PARLEY_HANDLER(.name = "sim", .state_size = sizeof(struct seat),
                                            .opened = opened, .received = received, .closed = closed);
    handler.framing = world.plan.framing;
    handler.drained = world.plan.has_drained ? drained : NULL;
    handler.ended = world.plan.has_ended ? ended : NULL;
    handler.timed = world.plan.has_timed ? timed : NULL;
    return handler;
}
