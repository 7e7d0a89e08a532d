/* Receiving: from the bytes a poller reports to the messages a handler takes. */
#include "base/error.h"
#include "engine/beside.h"
#include "engine/cover.h"
#include "limit/over.h"

/* Whether the next message may go to the handler. While it has paused, or the peer does not read the answers,
 * messages are kept: a poller may report bytes that were on their way when reading was held back. */
static bool takes_messages(const parley_conn *conn)
{
    return !conn->paused && !conn->finishing && !conn->dead && conn_has_room(conn);
}

static void deliver(parley_conn *conn, const void *payload, size_t size)
{
    const parley_handler *handler = conn_handler(conn);
    if (conn->bridged)
        bridge_received(conn, payload, size);
    else if (handler->received)
        handler->received(conn, payload, size);
}

static bool deliver_one(void *context, const void *payload, size_t size)
{
    deliver(context, payload, size);
    return takes_messages(context);
}

static void feed(parley_conn *conn, const void *bytes, size_t size)
{
    int status = takes_messages(conn)
                     ? frame_feed(conn_framing(conn), &conn->frame, bytes, size, deliver_one, conn)
                     : frame_keep(&conn->frame, bytes, size);
    conn->held_back = conn->frame && !takes_messages(conn);
    if (status == PARLEY_NETWORK)
        conn_exceed(conn, PARLEY_BAD_MESSAGE);
    else if (status < 0)
        conn_die(conn, PARLEY_FAILED);
}

static inline void take(parley_conn *conn, const void *bytes, size_t size)
{
    if (conn->bridged && !conn->frame && bridge_is_open(conn)) {
        bridge_received(conn, bytes, size);
        return;
    }
    conn->loop->answers.of = conn;
    conn->loop->answers.received_size = 0;
    if (conn_framing(conn)->kind == FRAMING_RAW && !conn->frame && takes_messages(conn))
        deliver(conn, bytes, size);
    else
        feed(conn, bytes, size);
    conn_answer(conn);
}

void conn_take(parley_conn *conn, const void *bytes, size_t size)
{
    if (conn->covered)
        conn_cover(conn)->limited.spoke = true;
    take(conn, bytes, size);
}

/* By itself, so that the usual way has little to save and to jump over. */
static __attribute__((noinline)) void receive_unusual(parley_conn *conn, const void *bytes, size_t size)
{
    if (conn->dead || (conn->finishing && !(conn->secured && secure_held(conn) > 0)))
        return;
    conn->active_at = conn->loop->now;
    if (conn->covered)
        cover_received(conn, bytes, size);
    else
        take(conn, bytes, size);
}

/* Nothing stands between what arrives and the handler, and nothing waits before it. */
static inline bool is_straight(const parley_conn *conn)
{
    return !conn->unusual && !conn->queue.head && !conn->frame && conn->loop->straight;
}

void conn_received(parley_conn *conn, const void *bytes, size_t size)
{
    struct loop *loop = conn->loop;
    conn->received += size;
    if (!is_straight(conn)) {
        receive_unusual(conn, bytes, size);
        return;
    }
    conn->active_at = loop->now;
    loop->answers.of = conn;
    loop->answers.received = bytes;
    loop->answers.received_size = size;
    loop->straight(conn, bytes, size);
    conn_answer(conn);
}

static void say_ended(parley_conn *conn)
{
    conn->ended_owed = false;
    if (reason_is_cut(conn->reason)) {
        parley_finish(conn);
        return;
    }
    frame_finish(conn_framing(conn), &conn->frame, deliver_one, conn);
    if (conn->dead || conn->finishing)
        return;
    if (frame_is_open(conn_framing(conn), conn->frame))
        conn->reason = PARLEY_TRUNCATED;
    if (conn->bridged)
        bridge_ended(conn);
    else if (conn_handler(conn)->ended)
        conn_handler(conn)->ended(conn);
    else
        parley_finish(conn);
}

void conn_take_end(parley_conn *conn)
{
    if (conn->held_back || conn->paused)
        conn->ended_owed = true; /* a last line without its LF is a message too */
    else
        say_ended(conn);
}

void conn_take_cut(parley_conn *conn)
{
    if (conn->held_back && !conn->finishing)
        conn->ended_owed = true;
    else
        parley_finish(conn);
}

void conn_ended(parley_conn *conn)
{
    bool was_said = conn->eof; /* inside TLS */
    conn->eof = true;
    conn->trailing = false;
    loop_touch(conn->loop, conn);
    if (conn->dead || conn->finishing || was_said)
        return;
    conn->active_at = conn->loop->now;
    if (conn->covered)
        cover_ended(conn);
    else
        conn_take_end(conn);
}

void conn_release(parley_conn *conn)
{
    if (conn->held_back && takes_messages(conn))
        feed(conn, NULL, 0);
    if (conn->ended_owed && !conn->held_back && !conn->paused && !conn->dead && !conn->finishing)
        say_ended(conn);
}
