/* PROXY headers of dialled connections: option proxy-send makes each begin with one. */
#ifndef ENGINE_SPEAKING_H
#define ENGINE_SPEAKING_H

#include "engine/conn.h"

/* Begins what the connection sends with a header, where the option asks for one: before TLS and before all
 * that was queued for it, so it is called first. It speaks for `client`, whose addresses and TLS it tells;
 * NULL: for the connection itself, which must be established. One that fails is dead then. */
void speak_for(parley_conn *conn, const parley_conn *client);

#endif
