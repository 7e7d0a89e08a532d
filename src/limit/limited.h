/* What a connection may take: a place among those of its address, time until it speaks, bytes. Kept in its
 * cover, where the server has any such limit. */
#ifndef LIMIT_LIMITED_H
#define LIMIT_LIMITED_H

#include <parley.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct limited {
    int64_t opened_at, span_at; /* ms: let in; the present span of min-rate began */
    uint64_t moved;             /* bytes either way when it began */
    uint32_t ticket;            /* of the census */
    bool spoke;                 /* the handler was given bytes */
};

/* Whether any of these limits is set. */
bool limited_is_wanted(const parley_server *server);

/* Gives it a place among those of its address: 0, or a parley_status with its sentence; it is then being
 * turned away. */
int limited_admit(parley_conn *conn, const struct sockaddr *address);
/* It is let in: its times begin. */
void limited_opened(parley_conn *conn);
/* Of bytes that came just now, counted already: how many may be taken. Fewer: it has had enough. */
size_t limited_allowance(const parley_conn *conn, size_t size);
/* A span is over: whether it has moved enough. The next one begins. */
bool limited_keeps_up(parley_conn *conn);
void limited_free(parley_conn *conn);

#endif
