/* A bridge: what one connection receives is sent on the other, both ways, with back-pressure and both ends.
 */
#include "base/error.h"
#include "engine/beside.h"
#include <errno.h>
#include <string.h>

static parley_conn *other_of(const parley_conn *conn)
{
    return conn_side(conn)->other;
}

static bool takes_bytes(const parley_conn *conn)
{
    return conn && !conn->dead && !conn->finishing && !conn->half_closing;
}

/* Whether it may be sent to: nothing goes out in the clear before a TLS handshake. */
static bool is_let_in(const parley_conn *conn)
{
    return conn->opened || !conn->covered;
}

/* ---- bytes ---- */

bool bridge_has_room(const parley_conn *conn)
{
    return !conn_side(conn)->waits;
}

bool bridge_is_open(const parley_conn *conn)
{
    return !other_of(conn) || is_let_in(other_of(conn));
}

/* Where nobody takes them any more they are dropped, so that the end behind them is seen. */
void bridge_received(parley_conn *conn, const void *bytes, size_t size)
{
    parley_conn *other = other_of(conn);
    if (!takes_bytes(other))
        return;
    conn_pass_on(other, bytes, size);
    if (conn_waiting(other) < conn->loop->high_water)
        return;
    conn_side(conn)->waits = true;
    loop_touch(conn->loop, conn);
}

static void read_on(parley_conn *conn)
{
    conn_side(conn)->waits = false;
    loop_touch(conn->loop, conn);
}

void bridge_settle(const parley_conn *conn)
{
    parley_conn *other = other_of(conn);
    if (other && conn_side(other)->waits && is_let_in(conn) && conn_waiting(conn) < conn->loop->high_water)
        read_on(other);
}

/* ---- ends ---- */

void bridge_ended(parley_conn *conn)
{
    parley_conn *other = other_of(conn);
    if (conn_side(conn)->reset) {
        conn_failed(conn, "recv", ECONNRESET);
        return;
    }
    if (other)
        parley_half_close(other);
    if (conn_handler(conn)->ended)
        conn_handler(conn)->ended(conn);
}

/* A program that ends without having read all it was sent resets a unix socket, behind its last bytes. That
 * is an end like any other. */
static bool is_end_of_program(const parley_conn *conn, int error)
{
    return conn->is_unix && error == ECONNRESET;
}

/* The kernel tells of a broken connection that does not read for now. EPIPE: it had finished before. */
static bool has_finished(const parley_conn *conn, int error)
{
    return error == EPIPE && !conn->eof;
}

/* True where what it sent, and its end, are there or still to be read. */
static bool bears_receiving(parley_conn *conn, int error)
{
    if (!is_end_of_program(conn, error) && !has_finished(conn, error))
        return false;
    conn->hung_up = true;
    if (conn_wants_input(conn))
        conn_ended(conn); /* what it sent has been read: the error comes behind it */
    return true;
}

bool bridge_bears(parley_conn *conn, const char *call, int error)
{
    parley_conn *other = other_of(conn);
    if (strcmp(call, "recv") == 0)
        return bears_receiving(conn, error);
    if (strcmp(call, "send") != 0 || conn->shut || conn->finishing)
        return false;
    /* It takes no more. What it has sent is still to be read; the kernel tells of a reset but once. */
    conn->half_closing = conn->shut = true;
    conn_side(conn)->reset = error == ECONNRESET && !conn->is_unix;
    conn_drop_output(conn);
    if (other)
        read_on(other);
    return true;
}

static bool is_orderly(const parley_conn *conn)
{
    return conn->reason == PARLEY_FINISHED || conn->reason == PARLEY_DRAINED;
}

void bridge_part(parley_conn *conn)
{
    parley_conn *other = other_of(conn);
    if (!other)
        return;
    conn_side(conn)->other = conn_side(other)->other = NULL;
    read_on(other);
    if (is_orderly(conn))
        parley_finish(other);
    else
        parley_abort(other);
}

/* ---- bridging ---- */

static int check(const parley_conn *one, const parley_conn *other)
{
    if (one == other || one->loop != other->loop || one->bridged || other->bridged)
        return fail(PARLEY_USAGE, "a bridge needs two connections of one worker that have none yet");
    if (conn_framing(one)->kind != FRAMING_RAW || conn_framing(other)->kind != FRAMING_RAW)
        return fail(PARLEY_USAGE, "a bridge passes on bytes, not messages: the framing must be raw");
    if (one->dead || other->dead || one->finishing || other->finishing)
        return fail(PARLEY_STALE, "the connection has ended");
    return 0;
}

/* What was kept, or its end, may be there already: settle looks. */
static void join(parley_conn *conn, parley_conn *other)
{
    conn->bridged = true;
    conn_side(conn)->other = other;
    conn_side(conn)->waits = !is_let_in(other);
    parley_resume(conn);
}

int parley_bridge(parley_conn *one, parley_conn *other)
{
    int status = check(one, other);
    if (status < 0)
        return status;
    bool made = side_of(one) != NULL;
    if (!made || !side_of(other)) {
        if (made && !one->guest)
            side_free(one);
        return fail(PARLEY_RESOURCE, "no memory for a bridge");
    }
    join(one, other);
    join(other, one);
    if (one->eof && !one->ended_owed)
        parley_half_close(other);
    if (other->eof && !other->ended_owed)
        parley_half_close(one);
    return 0;
}
