/* The deadlines of a connection share one timer: the earliest time that needs a look. Activity only moves
 * a time stamp; the timer finds out when it fires. */
#include "engine/conn.h"
#include "engine/loop.h"
#include "engine/server.h"

struct limit {
    int64_t due;
    parley_reason reason;
};

static void consider(struct limit *limit, int64_t since, int64_t span, parley_reason reason)
{
    if (span > 0 && since + span < limit->due)
        *limit = (struct limit){since + span, reason};
}

static struct limit earliest(const parley_conn *conn)
{
    const struct options *options = &conn->loop->server->options;
    struct limit limit = {INT64_MAX, PARLEY_FINISHED};
    if (conn->lingering) {
        /* Never for ever: a peer that does not finish would keep us. */
        consider(&limit, conn->progress_at, options->linger > 0 ? options->linger : 1, PARLEY_FINISHED);
        return limit;
    }
    consider(&limit, conn->opened_at, options->life, PARLEY_LIFETIME);
    consider(&limit, conn->active_at, options->idle, PARLEY_IDLE);
    if (queue_size(&conn->queue) > 0)
        consider(&limit, conn->progress_at, options->write_timeout, PARLEY_STALLED);
    return limit;
}

void conn_look(parley_conn *conn)
{
    struct limit limit = earliest(conn);
    if (limit.due <= conn->loop->now) {
        if (limit.reason != PARLEY_FINISHED)
            conn->reason = PARLEY_FINISHED; /* the deadline's reason goes before a finish not reached */
        conn_die(conn, limit.reason);
    } else {
        conn_arm(conn);
    }
}

void conn_arm(parley_conn *conn)
{
    int64_t due = earliest(conn).due;
    if (due == INT64_MAX)
        return;
    if (conn->deadline.place == 0 || conn->deadline.due > due)
        timer_arm(&conn->loop->timers, &conn->deadline, due);
}
