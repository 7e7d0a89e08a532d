/* The cover of a connection: what stands between its wire and its handler, where the server asks for any.
 *
 * A connection that is established is let in, in this order:
 *
 *     1. the PROXY header is read, where one is expected      its source is the client from here on
 *     2. the client is admitted: access lists, limits         by that address
 *     3. the TLS handshake
 *     4. the handler's `opened`
 *
 * Until then the handler knows nothing of it; one that fails on the way is turned away with its sentence
 * (PARLEY_REFUSED). A server that asks for none of this has no covers: its connections pay for one flag. */
#ifndef ENGINE_COVER_H
#define ENGINE_COVER_H

#include "engine/conn.h"
#include "engine/loop.h"
#include "engine/proxied.h"
#include "engine/server.h"
#include "limit/limited.h"
#include "net/address.h"
#include <stdalign.h>

struct tls_session;

/* How far it has come. Each stage is over before the next begins. */
enum cover_stage { COVER_BEGUN, COVER_HEADER, COVER_HANDSHAKE, COVER_OPEN };

/* Stands before the handler's state in the memory of a connection: conn_cover(). */
struct cover {
    alignas(max_align_t) enum cover_stage stage; /* aligned for the state behind it */
    struct door *door;                           /* by which it came; the front door, where it did not */
    char *failure;                               /* of PARLEY_REFUSED or PARLEY_TLS_BROKEN: its sentence */
    struct tls_session *tls;                     /* where conn->secured: secure.h */
    uint64_t end_at;                             /* bytes of the wire before our close_notify */
    int64_t held_at;                             /* ms: since when secure_held() has been more than 0 */
    struct proxied proxied;
    struct limited limited;
};

/* Whether the connections of this server have covers. Decided before its workers start. */
bool server_covers(const struct parley_server *server);

/* The cover of a connection with `covered`. */
static inline struct cover *conn_cover(const parley_conn *conn)
{
    return (struct cover *)(void *)((char *)conn + conn->loop->shape.cover);
}
/* What counts for a connection: where listeners have options of their own, connections have covers. */
static inline const struct options *conn_options(const parley_conn *conn)
{
    return conn->covered ? conn_cover(conn)->door->options : &conn->loop->server->options;
}

/* The connection is established: begins to let it in. */
void cover_begin(parley_conn *conn);
/* Bytes came off the wire: `conn_received()` for a covered connection. They are lent. */
void cover_received(parley_conn *conn, const void *bytes, size_t size);
/* The peer finished sending on the wire: `conn_ended()` for a covered connection. */
void cover_ended(parley_conn *conn);
/* Turns the connection away, with parley_error()'s sentence. */
void cover_refuse(parley_conn *conn);
/* The reason why the connection ends is this, with parley_error()'s sentence. */
void cover_explain(parley_conn *conn, parley_reason reason);
/* The connection ends for `reason`, with parley_error()'s sentence. Under TLS it ends as one that finishes:
 * an alert says why, and closing with unread input would destroy it. */
void cover_fail(parley_conn *conn, parley_reason reason);
/* The same for what cover_explain() has noted. */
void cover_end(parley_conn *conn);
/* The TLS handshake is done. */
void cover_secured(parley_conn *conn);
/* It was not let in within "handshake-timeout". */
void cover_too_late(parley_conn *conn);
void cover_free(parley_conn *conn);

/* ---- what a cover hands on: receiving.c, adopt.c ---- */

/* Clear bytes for the framing and the handler. */
void conn_take(parley_conn *conn, const void *bytes, size_t size);
/* The end of the clear bytes. */
void conn_take_end(parley_conn *conn);
/* They are cut short, for the reason that is noted: the connection finishes, and their end is not said.
 * Messages kept for a handler that has paused came before, and go first. */
void conn_take_cut(parley_conn *conn);
/* It is let in: the handler's `opened`. */
void conn_open(parley_conn *conn);

#endif
