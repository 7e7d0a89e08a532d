/* What handlers call: the functions of parley.h that take a connection. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/beside.h"
#include "engine/cover.h"
#include "engine/proxied.h"
#include "limit/over.h"
#include <stdio.h>
#include <string.h>

static int refuse(const parley_conn *conn)
{
    if (conn->dead)
        return fail(PARLEY_STALE, "the connection has ended");
    if (!conn->opened && conn->covered)
        return fail(PARLEY_STALE, "the TLS handshake is not over: send when it is opened");
    return fail(PARLEY_STALE, "nothing can be sent after parley_finish() or parley_half_close()");
}

static int send_framed(parley_conn *conn, const struct framing *framing, struct iovec payload)
{
    struct frame_envelope envelope;
    int status = frame_wrap(framing, payload.iov_base, payload.iov_len, &envelope);
    if (status < 0)
        return status;
    struct iovec vectors[3] = {
        {envelope.prefix, envelope.prefix_size}, payload, {(void *)envelope.suffix, envelope.suffix_size}};
    return conn_queue(conn, vectors, 3);
}

/* By itself, so that the usual answer has little to save and to jump over. */
static __attribute__((noinline)) int send_unusual(parley_conn *conn, const void *bytes, size_t size)
{
    const struct framing *framing = conn_framing(conn);
    struct iovec payload = {(void *)bytes, size};
    if (conn->dead || conn->finishing || conn->half_closing || (conn->covered && !conn->opened))
        return refuse(conn);
    if (framing->kind != FRAMING_RAW)
        return send_framed(conn, framing, payload);
    return size > 0 ? conn_queue(conn, &payload, 1) : 0;
}

int parley_send(parley_conn *conn, const void *bytes, size_t size)
{
    struct answers *answers = &conn->loop->answers;
    if (answers->of == conn && !conn->unusual && !conn->queue.head && answers_lend(answers, bytes, size)) {
        conn->drained_owed = true;
        return 0;
    }
    return send_unusual(conn, bytes, size);
}

int parley_sendf(parley_conn *conn, const char *format, ...)
{
    char text[4097];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof text)
        return fail(PARLEY_USAGE, "parley_sendf: the text is longer than 4096 bytes (use parley_send)");
    return parley_send(conn, text, (size_t)size);
}

void parley_finish(parley_conn *conn)
{
    if (conn->dead || conn->finishing)
        return;
    conn->finishing = true;
    if (conn->reason != PARLEY_TRUNCATED && !reason_is_cut(conn->reason))
        conn->reason = PARLEY_FINISHED;
    loop_touch(conn->loop, conn);
}

void parley_half_close(parley_conn *conn)
{
    if (conn->dead)
        return;
    conn->half_closing = true;
    loop_touch(conn->loop, conn);
}

void parley_abort(parley_conn *conn)
{
    conn->finishing = conn->leaving = false;
    conn_die(conn, PARLEY_ABORTED);
}

void parley_pause(parley_conn *conn)
{
    if (conn->dead)
        return;
    conn->paused = true;
    loop_touch(conn->loop, conn);
}

/* What was kept while paused is delivered in the next settle, never inside this call. */
void parley_resume(parley_conn *conn)
{
    if (conn->dead)
        return;
    conn->paused = false;
    loop_touch(conn->loop, conn);
}

void parley_set_timer(parley_conn *conn, int64_t delay)
{
    struct timers *timers = &conn->loop->timers;
    if (conn->dead || !conn_handler(conn)->timed)
        return; /* nobody would be called */
    struct timer *alarm = conn->guest ? &conn_guest(conn)->alarm : &conn_extra(conn)->alarm;
    if (delay < 0)
        timer_cancel(timers, alarm);
    else
        timer_arm(timers, alarm, conn->loop->now + (delay < INT64_MAX / 2 ? delay : INT64_MAX / 2));
}

void *parley_state(parley_conn *conn)
{
    return conn->guest ? (char *)conn_guest(conn)->state : (char *)conn + conn->loop->shape.state;
}

void *parley_user(const parley_conn *conn)
{
    return conn->guest ? conn_guest(conn)->user : conn->loop->server->user;
}

parley_server *parley_server_of(const parley_conn *conn)
{
    return conn->loop->server;
}

/* Worker, slot, generation: 20, 20 and 24 bits. */
parley_id parley_id_of(const parley_conn *conn)
{
    return (uint64_t)conn->loop->worker->index << 44 | (uint64_t)conn->slot.number << 24 |
           conn->slot.generation;
}

static const char *text_of(const struct address *address, char text[ADDRESS_TEXT])
{
    return address_text((const struct sockaddr *)&address->storage, address->length, text);
}

const char *parley_peer(const parley_conn *conn)
{
    static _Thread_local char text[ADDRESS_TEXT];
    struct proxy_header header;
    struct sockaddr_storage peer;
    if (conn->peer_kind == PEER_UNIX && proxied_header(conn, &header))
        return text_of(&header.source, text);
    socklen_t length = conn_peer(conn, &peer);
    return conn_address_text(conn, &peer, length, text);
}

const char *parley_local(const parley_conn *conn)
{
    static _Thread_local char text[ADDRESS_TEXT];
    struct sockaddr_storage local;
    struct proxy_header header;
    socklen_t length = sizeof local;
    if (proxied_header(conn, &header))
        return text_of(&header.destination, text);
    if (getsockname(conn->fd, (struct sockaddr *)&local, &length) < 0)
        return "";
    return address_text((struct sockaddr *)&local, length, text);
}

bool parley_is_dialled(const parley_conn *conn)
{
    return conn->dialled;
}

size_t parley_queued(const parley_conn *conn)
{
    return conn_waiting(conn) + conn_gathered(conn);
}

uint64_t parley_bytes_received(const parley_conn *conn)
{
    return conn->received;
}

uint64_t parley_bytes_sent(const parley_conn *conn)
{
    return conn->sent;
}

const char *parley_reason_text(parley_reason reason)
{
    static const char *const texts[] = {
        [PARLEY_FINISHED] = "finished",
        [PARLEY_RESET] = "reset",
        [PARLEY_ABORTED] = "aborted by the service",
        [PARLEY_IDLE] = "idle for too long",
        [PARLEY_LIFETIME] = "its time was over",
        [PARLEY_STALLED] = "stalled: the peer took nothing of what was queued",
        [PARLEY_OVERFLOW] = "too much was queued for it",
        [PARLEY_BAD_MESSAGE] = "broke the framing",
        [PARLEY_TRUNCATED] = "ended in the middle of a message",
        [PARLEY_DRAINED] = "this side stopped",
        [PARLEY_CUT] = "cut: the drain deadline passed",
        [PARLEY_FAILED] = "failed",
        [PARLEY_UNREACHED] = "not reached",
        [PARLEY_REFUSED] = "turned away",
        [PARLEY_TLS_TRUNCATED] = "ended without TLS's close_notify: there may have been more",
        [PARLEY_TLS_BROKEN] = "its TLS broke",
        [PARLEY_SILENT] = "said nothing in time",
        [PARLEY_SLOW] = "too slow",
        [PARLEY_QUOTA] = "moved as many bytes as it may",
    };
    return (size_t)reason < sizeof texts / sizeof *texts && texts[reason] ? texts[reason] : "unknown";
}

const char *parley_failure(const parley_conn *conn)
{
    static _Thread_local char text[256];
    if (conn->fd < 0)
        return conn->failure ? conn->failure : "";
    if (conn->reason == PARLEY_REFUSED || conn->reason == PARLEY_TLS_BROKEN)
        return conn->covered && conn_cover(conn)->failure ? conn_cover(conn)->failure : "";
    bool failed =
        conn->reason == PARLEY_RESET || conn->reason == PARLEY_FAILED || conn->reason == PARLEY_UNREACHED;
    if (!failed)
        return over_limit(conn);
    if (!conn->failed_call)
        return "";
    snprintf(text, sizeof text, "%s: %s", conn_failed_call(conn),
             reason_of(conn_failed_call(conn), conn->error));
    return text;
}

void parley_log(parley_conn *conn, const char *format, ...)
{
    struct log *log = &conn->loop->log;
    va_list arguments;
    if (!log_wants(log, LOG_HANDLER))
        return;
    va_start(arguments, format);
    log_vline(log, LOG_HANDLER, parley_peer(conn), format, arguments);
    va_end(arguments);
}

void parley_log_message(parley_conn *conn, const char *what, const void *bytes, size_t size)
{
    struct log *log = &conn->loop->log;
    if (log_wants(log, LOG_MESSAGE))
        log_message(log, parley_peer(conn), what, bytes, size);
}
