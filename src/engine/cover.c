#include "engine/cover.h"
#include "engine/error.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "engine/sys.h"
#include <string.h>

bool server_covers(const struct parley_server *server)
{
    (void)server;
    return false; /* none of its options asks for a cover yet */
}

struct cover *conn_cover(const parley_conn *conn)
{
    return (struct cover *)(void *)((char *)conn + conn->loop->shape.cover);
}

/* The order of cover.h, in one place: goes on with what comes next, until it has to wait for bytes. */
static void proceed(parley_conn *conn)
{
    struct cover *cover = conn_cover(conn);
    cover->stage = COVER_OPEN;
    conn_open(conn);
}

void cover_begin(parley_conn *conn)
{
    proceed(conn);
    if (!conn->dead)
        conn_arm(conn);
}

void cover_received(parley_conn *conn, const void *bytes, size_t size)
{
    conn_take(conn, bytes, size);
}

void cover_ended(parley_conn *conn)
{
    if (conn_cover(conn)->stage == COVER_OPEN) {
        conn_take_end(conn);
        return;
    }
    fail(PARLEY_NETWORK, "it ended before it was let in");
    cover_refuse(conn);
}

void cover_refuse(parley_conn *conn)
{
    struct cover *cover = conn_cover(conn);
    size_t size = strlen(parley_error()) + 1;
    if (conn->dead)
        return;
    cover->failure = sys.malloc(size);
    if (cover->failure)
        memcpy(cover->failure, parley_error(), size);
    conn_die(conn, PARLEY_REFUSED);
}

void cover_too_late(parley_conn *conn)
{
    fail(PARLEY_TIMEOUT, "not let in within handshake-timeout, %lld ms",
         (long long)conn->loop->server->options.handshake_timeout);
    cover_refuse(conn);
}

void cover_free(parley_conn *conn)
{
    sys.free(conn_cover(conn)->failure);
}
