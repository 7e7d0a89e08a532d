#include "limit/over.h"
#include "engine/beside.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_TEXT = 96 };

/* ---- ending it ---- */

/* One more message of its framing; a line, where bytes are raw. */
static int say(parley_conn *conn, const char *line)
{
    bool is_raw = conn_framing(conn)->kind == FRAMING_RAW;
    return parley_send(conn, line, strlen(line) - !is_raw);
}

/* False: nobody would hear it, or it does not fit. */
static bool tell(parley_conn *conn, const struct policy *policy, parley_reason reason)
{
    if (conn->guest || conn->dialled || conn->finishing || conn->half_closing || !conn->opened ||
        reason == PARLEY_STALLED)
        return false;
    conn->leaving = true; /* even if this is too much as well */
    conn->reason = (unsigned char)reason;
    conn->leaving = say(conn, policy->message) == 0;
    if (!conn->leaving || conn->dead)
        return false;
    parley_finish(conn);
    conn->reason = (unsigned char)reason;
    conn->leaves_at = (uint32_t)(conn->loop->now + conn_options(conn)->linger);
    conn_arm(conn);
    return true;
}

bool over_resets(const parley_conn *conn)
{
    return conn_options(conn)->limits.when_over.how == POLICY_RESET && !conn->guest && !conn->dialled;
}

void conn_exceed(parley_conn *conn, parley_reason reason)
{
    const struct policy *policy = &conn_options(conn)->limits.when_over;
    if (conn->dead || conn->leaving || (policy->how == POLICY_MESSAGE && tell(conn, policy, reason)))
        return;
    if (over_resets(conn))
        limits_reset_on_close(conn->fd);
    conn_die(conn, reason);
}

int64_t over_until(const parley_conn *conn)
{
    int64_t now = conn->loop->now;
    return now + (int32_t)(conn->leaves_at - (uint32_t)now);
}

/* ---- which limit it was, as the user wrote it ---- */

static void write_time(char text[LIMIT_TEXT], const char *name, int64_t ms)
{
    bool is_whole = ms % 1000 == 0;
    snprintf(text, LIMIT_TEXT, "%s %" PRId64 "%s", name, is_whole ? ms / 1000 : ms, is_whole ? "s" : "ms");
}

static void write_size(char text[LIMIT_TEXT], const char *name, size_t size)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    int unit = 0;
    for (; unit < 3 && size > 0 && size % 1024 == 0; unit++)
        size /= 1024;
    snprintf(text, LIMIT_TEXT, "%s %zu%s", name, size, units[unit]);
}

static void write_rate(char text[LIMIT_TEXT], const struct limits *limits)
{
    char bytes[LIMIT_TEXT], span[LIMIT_TEXT];
    write_size(bytes, "min-rate", limits->rate_bytes);
    write_time(span, "", limits->rate_span);
    snprintf(text, LIMIT_TEXT, "%.40s/%.40s", bytes, span + 1);
}

static void write_message_limit(char text[LIMIT_TEXT], const parley_conn *conn)
{
    bool is_own = conn_options(conn)->limits.message_max > 0 && !conn->guest;
    write_size(text, is_own ? "message-max" : "framing, max", conn_framing(conn)->max);
}

const char *over_limit(const parley_conn *conn)
{
    static _Thread_local char text[LIMIT_TEXT];
    const struct options *options = conn_options(conn);
    *text = '\0';
    switch ((parley_reason)conn->reason) {
    case PARLEY_IDLE: write_time(text, "idle", options->idle); break;
    case PARLEY_LIFETIME: write_time(text, "life", options->life); break;
    case PARLEY_STALLED: write_time(text, "write-timeout", options->write_timeout); break;
    case PARLEY_SILENT: write_time(text, "first-byte", options->limits.first_byte); break;
    case PARLEY_OVERFLOW: write_size(text, "queue-max", options->queue_max); break;
    case PARLEY_QUOTA: write_size(text, "bytes-max", options->limits.bytes_max); break;
    case PARLEY_SLOW: write_rate(text, &options->limits); break;
    case PARLEY_BAD_MESSAGE: write_message_limit(text, conn); break;
    default: break;
    }
    return text;
}
