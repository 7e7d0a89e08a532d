#include "engine/cover.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/secure.h"
#include "engine/server.h"
#include "limit/admission.h"
#include "limit/over.h"
#include <string.h>

bool server_covers(const struct parley_server *server)
{
    const struct tls_policy *tls = &server->options.tls;
    return server->options.proxy_from.count > 0 || tls->serving != TLS_OFF || tls->dials ||
           limited_is_wanted(server) || doors_are_several(server);
}

/* Who came by itself was admitted when it was accepted: only behind a header the client is not known before.
 */
static bool is_admitted(parley_conn *conn)
{
    struct sockaddr_storage client;
    conn_peer(conn, &client);
    if (conn_cover(conn)->stage == COVER_HEADER &&
        admission_by_address(conn->loop, conn_cover(conn)->door, (const struct sockaddr *)&client) < 0)
        return false;
    return limited_admit(conn, (const struct sockaddr *)&client) == 0;
}

/* The order of cover.h, in one place: goes on with what comes next, until it has to wait for bytes. */
static void proceed(parley_conn *conn)
{
    struct cover *cover = conn_cover(conn);
    if (cover->stage < COVER_HEADER && proxied_begin(conn)) {
        cover->stage = COVER_HEADER;
        return;
    }
    if (cover->stage < COVER_HANDSHAKE && !is_admitted(conn)) {
        cover_refuse(conn);
        return;
    }
    if (cover->stage < COVER_HANDSHAKE && secure_is_wanted(conn)) {
        cover->stage = COVER_HANDSHAKE;
        secure_begin(conn);
        return;
    }
    cover->stage = COVER_OPEN;
    limited_opened(conn);
    conn_open(conn);
    if (!conn->dead)
        conn_arm(conn); /* its times begin here, and may be shorter than what is left to be let in */
}

void cover_secured(parley_conn *conn)
{
    proceed(conn);
}

void cover_begin(parley_conn *conn)
{
    proceed(conn);
    if (!conn->dead)
        conn_arm(conn);
}

static void hand_on(parley_conn *conn, const void *bytes, size_t size);

/* What stands behind the header came off the same wire. */
static void header_received(parley_conn *conn, const unsigned char *bytes, size_t size)
{
    ssize_t taken = proxied_received(conn, bytes, size);
    if (taken < 0)
        cover_refuse(conn);
    if (taken <= 0)
        return;
    if (parley_tls(conn, "protocol"))
        secure_say(conn, "TLS at the proxy");
    proceed(conn);
    if ((size_t)taken < size && !conn->dead && !conn->finishing)
        hand_on(conn, bytes + taken, size - (size_t)taken);
}

static void hand_on(parley_conn *conn, const void *bytes, size_t size)
{
    if (conn_cover(conn)->stage == COVER_HEADER)
        header_received(conn, bytes, size);
    else if (proxied_check(conn, bytes, size) < 0)
        cover_refuse(conn);
    else if (conn->secured)
        secure_received(conn, bytes, size);
    else
        conn_take(conn, bytes, size);
}

void cover_received(parley_conn *conn, const void *bytes, size_t size)
{
    size_t allowed = limited_allowance(conn, size);
    if (allowed > 0)
        hand_on(conn, bytes, allowed);
    if (allowed < size)
        conn_exceed(conn, PARLEY_QUOTA);
}

void cover_ended(parley_conn *conn)
{
    const struct cover *cover = conn_cover(conn);
    if (cover->stage == COVER_OPEN && conn->secured)
        secure_truncated(conn);
    else if (cover->stage == COVER_OPEN)
        conn_take_end(conn);
    if (cover->stage == COVER_OPEN)
        return;
    if (cover->stage == COVER_HEADER)
        proxied_ended(conn);
    else
        fail(PARLEY_NETWORK, "TLS: it ended in the middle of the handshake");
    cover_refuse(conn);
}

/* ---- failing ---- */

void cover_explain(parley_conn *conn, parley_reason reason)
{
    struct cover *cover = conn_cover(conn);
    size_t size = strlen(parley_error()) + 1;
    sys.free(cover->failure);
    cover->failure = sys.malloc(size);
    if (cover->failure)
        memcpy(cover->failure, parley_error(), size);
    conn->reason = (unsigned char)reason;
}

void cover_end(parley_conn *conn)
{
    if (conn->dead || conn_has_failed(conn))
        return;
    if (!conn->secured) {
        conn_over(conn);
        return;
    }
    conn->trailing = !conn_wire_has_ended(conn);
    conn->eof = true;
    loop_touch(conn->loop, conn);
    conn_take_cut(conn);
}

void cover_fail(parley_conn *conn, parley_reason reason)
{
    if (conn->dead || conn_has_failed(conn))
        return;
    cover_explain(conn, reason);
    cover_end(conn);
}

/* One that was dialled by parley_dial() is what parley_run() tells, as if it had not been reached. */
static void refuse(parley_conn *conn, parley_status status)
{
    struct parley_server *server = conn->loop->server;
    cover_fail(conn, PARLEY_REFUSED);
    if (conn->dialled && server->bound_count == 0 && !server->begin)
        server_failed(server, fail(status, "%s: %s", parley_peer(conn), parley_failure(conn)));
}

void cover_refuse(parley_conn *conn)
{
    if (!conn->dead)
        refuse(conn, PARLEY_NETWORK);
}

void cover_too_late(parley_conn *conn)
{
    static const char *const awaited[] = {
        [COVER_HEADER] = "no whole PROXY header", [COVER_HANDSHAKE] = "TLS: no handshake"};
    enum cover_stage stage = conn_cover(conn)->stage;
    if (conn->finishing) {
        conn_over(conn);
        return;
    }
    fail(PARLEY_TIMEOUT, "%s within handshake-timeout, %lld ms",
         stage < sizeof awaited / sizeof *awaited && awaited[stage] ? awaited[stage] : "not let in",
         (long long)conn_options(conn)->handshake_timeout);
    if (!over_resets(conn)) {
        refuse(conn, PARLEY_TIMEOUT);
        if (conn->dialled)
            conn_over(conn); /* it has no last words that a reset could destroy, and somebody who waits */
        return;
    }
    cover_explain(conn, PARLEY_REFUSED);
    conn_exceed(conn, PARLEY_REFUSED);
}

void cover_free(parley_conn *conn)
{
    proxied_free(conn);
    limited_free(conn);
    sys.free(conn_cover(conn)->failure);
    if (conn->secured)
        secure_free(conn);
}
