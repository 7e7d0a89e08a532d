/* Guests: connections that a handler adopts or connects beside its own. */
#include "engine/beside.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/dialling.h"
#include "engine/speaking.h"
#include "limit/crowd.h"
#include "net/resolve.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* ---- the table of sides ---- */

static bool make_room(struct loop *loop, uint32_t slot)
{
    uint32_t room = loop->side_room ? loop->side_room : 64;
    if (slot < loop->side_room)
        return true;
    while (room <= slot)
        room *= 2;
    struct side **sides = sys.realloc(loop->sides, room * sizeof *sides);
    if (!sides)
        return false;
    memset(sides + loop->side_room, 0, (room - loop->side_room) * sizeof *sides);
    loop->sides = sides;
    loop->side_room = room;
    return true;
}

static struct side *side_new(parley_conn *conn, size_t size)
{
    struct loop *loop = conn->loop;
    if (!make_room(loop, conn->slot.number))
        return NULL;
    struct side *side = sys.calloc(1, size);
    if (side)
        side->conn = conn;
    return loop->sides[conn->slot.number] = side;
}

struct side *side_of(parley_conn *conn)
{
    return conn->guest || conn->bridged ? conn_side(conn) : side_new(conn, sizeof(struct side));
}

void side_free(parley_conn *conn)
{
    struct timers *timers = &conn->loop->timers;
    if (conn->guest && conn->connecting && conn->fd < 0)
        dialling_call_off(conn);
    if (conn->guest && conn_guest(conn)->handler.timed) {
        timer_cancel(timers, &conn_guest(conn)->alarm);
        timers_release(timers, 1);
    }
    sys.free(conn_side(conn));
    conn->loop->sides[conn->slot.number] = NULL;
    conn->guest = conn->bridged = false;
}

void guest_alarmed(struct timer *timer)
{
    struct guest *guest = (struct guest *)(void *)((char *)timer - offsetof(struct guest, alarm));
    parley_conn *conn = guest->side.conn;
    if (!conn->dead && !conn->finishing)
        guest->handler.timed(conn);
}

/* ---- guests ---- */

/* What a guest is to be; a handler compiled against an older header is shorter. */
struct invitation {
    parley_handler handler;
    struct framing framing;
    void *user;
};

static int invite(struct invitation *invitation, const parley_handler *handler, void *user)
{
    size_t size = handler->size < sizeof *handler ? handler->size : sizeof *handler;
    if (size < offsetof(parley_handler, opened))
        return fail(PARLEY_USAGE, "the handler's size is %zu: fill it with PARLEY_HANDLER(...)",
                    handler->size);
    *invitation = (struct invitation){.user = user};
    memcpy(&invitation->handler, handler, size);
    return framing_parse(&invitation->framing, handler->framing);
}

/* Gives a new connection, which no callback has seen yet, what a guest has. */
static bool seat(parley_conn *conn, const struct invitation *invitation)
{
    const parley_handler *handler = &invitation->handler;
    if (handler->timed && timers_reserve(&conn->loop->timers, 1) < 0)
        return false;
    struct guest *guest = (void *)side_new(conn, sizeof *guest + handler->state_size);
    if (!guest) {
        timers_release(&conn->loop->timers, handler->timed != NULL);
        return false;
    }
    guest->handler = *handler;
    guest->framing = invitation->framing;
    guest->user = invitation->user;
    guest->alarm.kind = TIMER_GUEST;
    conn->guest = true;
    return true;
}

/* Makes the connection of a guest: NULL without memory, the descriptor is then closed. */
static parley_conn *welcome(struct loop *loop, int fd, const struct sockaddr *peer, enum conn_origin origin,
                            const struct invitation *invitation)
{
    parley_conn *conn = conn_make(loop, fd, peer, origin);
    if (conn && seat(conn, invitation)) {
        conn->covered = origin == CONN_CONNECTING && loop->server->options.tls.dials;
        return conn;
    }
    if (conn) {
        crowd_joined(conn); /* settle frees it as one that had a place */
        conn_die(conn, PARLEY_FAILED);
    }
    fail(PARLEY_RESOURCE, "no memory for another connection");
    return NULL;
}

static int refuse_deaf(const struct loop *loop)
{
    if (!loop->poller->deaf)
        return 0;
    return fail(PARLEY_USAGE, "a worker that blocks in recv has one connection only (choose select, poll, "
                              "epoll or uring)");
}

/* ---- adopting ---- */

static int check_descriptor(const struct loop *loop, int descriptor, struct sockaddr_storage *peer)
{
    socklen_t length = sizeof *peer;
    int most = loop->poller->descriptors;
    if (getpeername(descriptor, (struct sockaddr *)peer, &length) < 0)
        return fail_call("getpeername", NULL, errno);
    if (most > 0 && descriptor >= most)
        return fail(PARLEY_RESOURCE, "descriptor %d is beyond what %s can watch (below %d)", descriptor,
                    loop->poller->name, most);
    if (socket_set_blocking(descriptor, !loop->poller->nonblocking) < 0)
        return fail_call("fcntl", NULL, errno);
    return 0;
}

parley_conn *parley_adopt(parley_conn *beside, int descriptor, const parley_handler *handler, void *user)
{
    struct loop *loop = beside->loop;
    struct invitation invitation = {.user = user};
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    if (refuse_deaf(loop) < 0 || invite(&invitation, handler, user) < 0 ||
        check_descriptor(loop, descriptor, &peer) < 0) {
        sys.close(descriptor);
        return NULL;
    }
    parley_conn *conn = welcome(loop, descriptor, (struct sockaddr *)&peer, CONN_ACCEPTED, &invitation);
    if (!conn)
        return NULL;
    speak_for(conn, beside);
    conn_established(conn);
    return conn;
}

/* ---- connecting ---- */

/* What needs neither a look-up, nor a race, nor patience is connected in the loop. */
static bool is_simple(const struct loop *loop, const struct endpoint *endpoint, struct address *address)
{
    const struct options *options = &loop->server->options;
    return options->retries == 0 && !*options->bind && resolve_number(endpoint, AF_UNSPEC, address);
}

static parley_conn *connect_apart(struct loop *loop, const char *address, const struct invitation *invitation)
{
    parley_conn *conn = welcome(loop, -1, NULL, CONN_CONNECTING, invitation);
    if (!conn || dialling_begin(loop, address, conn) == 0)
        return conn;
    conn_die(conn, PARLEY_UNREACHED);
    return NULL;
}

/* A unix listener whose queue is full is nothing to wait for in a loop: that takes patience. */
static parley_conn *connect_here(struct loop *loop, const struct address *number, const char *address,
                                 const struct invitation *invitation)
{
    int fd = connecting_start(loop, number, NULL);
    if (fd < 0 && errno == EAGAIN)
        return connect_apart(loop, address, invitation);
    if (fd < 0)
        return NULL;
    return welcome(loop, fd, (const struct sockaddr *)&number->storage, CONN_CONNECTING, invitation);
}

parley_conn *parley_connect(parley_conn *beside, const char *address, const parley_handler *handler,
                            void *user)
{
    struct loop *loop = beside->loop;
    struct invitation invitation = {.user = user};
    struct endpoint endpoint;
    struct address number;
    if (refuse_deaf(loop) < 0 || invite(&invitation, handler, user) < 0 ||
        endpoint_parse(&endpoint, address) < 0)
        return NULL;
    if (loop->draining) {
        fail(PARLEY_STALE, "the server is stopping");
        return NULL;
    }
    parley_conn *conn = is_simple(loop, &endpoint, &number)
                            ? connect_here(loop, &number, address, &invitation)
                            : connect_apart(loop, address, &invitation);
    if (!conn)
        return NULL;
    conn->dialled = true;
    speak_for(conn, beside);
    return conn;
}

/* The descriptor of one that is dialled and the host's name, or why there is none: dialling.c. */
void guest_dialled(parley_conn *conn, int fd, const char *sentence)
{
    size_t size = strlen(sentence) + 1;
    if (fd < 0) {
        conn->failure = sys.malloc(size);
        if (conn->failure)
            memcpy(conn->failure, sentence, size);
        conn_die(conn, PARLEY_UNREACHED);
        return;
    }
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    conn->fd = fd;
    if (check_descriptor(conn->loop, fd, &peer) < 0) {
        conn_failed(conn, "connect", ECONNRESET);
        return;
    }
    if (conn_set_peer(conn, (struct sockaddr *)&peer) < 0) {
        conn_failed(conn, "connect", ENOMEM);
        return;
    }
    conn->is_unix = peer.ss_family == AF_UNIX;
    conn->connecting = conn->blocked = false;
    conn->loop->dialled_host = *sentence ? sentence : NULL;
    conn_established(conn);
    conn->loop->dialled_host = NULL;
}
