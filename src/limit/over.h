/* Over a limit: what becomes of a connection that took all the time, bytes or room it may. Option when-over.
 */
#ifndef LIMIT_OVER_H
#define LIMIT_OVER_H

#include "engine/conn.h"

/* Ends the connection for `reason`, one of a limit, as when-over says: it is closed or reset at once, or
 * told, behind what is queued, and has the linger time to take that. */
void conn_exceed(parley_conn *conn, parley_reason reason);
/* One that is told so has until then, in ms. */
int64_t over_until(const parley_conn *conn);
/* Whether it would be reset: so is who was not let in in time, and who is told nothing. */
bool over_resets(const parley_conn *conn);
/* The limit that ended it, as it is set: "idle 30s"; "" where none did. */
const char *over_limit(const parley_conn *conn);

#endif
