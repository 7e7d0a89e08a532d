#include "limit/limited.h"
#include "engine/cover.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "limit/census.h"

static const struct limits *limits_of(const parley_conn *conn)
{
    return &conn_options(conn)->limits;
}

bool limited_is_wanted(const parley_server *server)
{
    const struct limits *limits = &server->options.limits;
    return limits->per_address > 0 || limits->per_network > 0 || limits->first_byte > 0 ||
           limits->bytes_max > 0 || limits->rate_span > 0;
}

int limited_admit(parley_conn *conn, const struct sockaddr *address)
{
    const struct door *door = conn_cover(conn)->door;
    struct census *census = conn->loop->server->census;
    const struct census_limits most = census_limits_of(door);
    const struct network client = network_of(address);
    if (!census || conn->dialled || conn->guest)
        return 0;
    int status =
        census_enter(census, &most, &client, conn->loop->worker->index, &conn_cover(conn)->limited.ticket);
    if (status < 0)
        limits_turn_away(door, conn->fd);
    return status;
}

void limited_opened(parley_conn *conn)
{
    struct limited *limited = &conn_cover(conn)->limited;
    limited->opened_at = limited->span_at = conn->loop->now;
    limited->moved = conn->received + conn->sent;
}

size_t limited_allowance(const parley_conn *conn, size_t size)
{
    size_t most = limits_of(conn)->bytes_max;
    uint64_t moved = conn->received + conn->sent;
    if (most == 0 || moved <= most || conn->guest)
        return size;
    uint64_t over = moved - most;
    return over < size ? size - (size_t)over : 0;
}

bool limited_keeps_up(parley_conn *conn)
{
    struct limited *limited = &conn_cover(conn)->limited;
    uint64_t moved = conn->received + conn->sent;
    bool enough = moved - limited->moved >= limits_of(conn)->rate_bytes;
    limited->span_at = conn->loop->now;
    limited->moved = moved;
    return enough;
}

void limited_free(parley_conn *conn)
{
    if (conn->loop->server->census)
        census_leave(conn->loop->server->census, conn_cover(conn)->limited.ticket);
}
