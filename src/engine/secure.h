/* TLS in a connection: the last stage of its cover, and what its bytes pass through from then on. Clear bytes
 * are the handler's, those of the wire are the poller's; neither knows of the other. */
#ifndef ENGINE_SECURE_H
#define ENGINE_SECURE_H

#include "engine/conn.h"

struct parley_server;

/* Loads certificates and authorities, where the options ask for TLS: 0, or a parley_status with its sentence.
 * Before the workers start, so that processes share what they need to resume each other's sessions. */
int secure_open(struct parley_server *server);
void secure_close(struct parley_server *server);
/* What listeners show, in one sentence for the log; "" where they speak plain. */
const char *secure_story(const struct parley_server *server);
/* Whether secure_open() would succeed: 0, or a parley_status with its sentence. */
int secure_check(const struct parley_server *server);

/* Whether a TLS handshake is to come. */
bool secure_is_wanted(const parley_conn *conn);
/* Begins it: who dialled speaks first. */
void secure_begin(parley_conn *conn);
/* Bytes of the wire: the handshake's, then the handler's. They are lent. */
void secure_received(parley_conn *conn, const void *bytes, size_t size);
/* The wire ended without close_notify: what came may not be all, and nobody may take it for all. */
void secure_truncated(parley_conn *conn);
/* Sends clear bytes, all of them: 0, or a parley_status; the connection is dead then. */
int secure_write(parley_conn *conn, const struct iovec *vectors, size_t count);
/* Says our end. False: not yet, or its bytes are still to go out. */
bool secure_say_end(parley_conn *conn);
/* Tells the log what is known of the TLS of a client: `whose` is "TLS", or says where it ends. */
void secure_say(const parley_conn *conn, const char *whose);
/* It was reset, which may stand behind the alert that says why: looks for that before it is freed. */
void secure_last_words(parley_conn *conn);
void secure_free(parley_conn *conn);

#endif
