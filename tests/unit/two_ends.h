/* Two TLS sessions that talk through memory instead of sockets. */
#ifndef TWO_ENDS_H
#define TWO_ENDS_H

#include <stdbool.h>
#include <stddef.h>

#include "tls/tls.h"

enum { ROOM = 1 << 18 };

struct end {
    struct tls_session *session;
    unsigned char outbox[ROOM]; /* what it has said and the other has not read */
    size_t outbox_size;
    unsigned char heard[ROOM];
    size_t heard_size;
    bool is_done, has_ended, is_broken;
};

/* Sets an option of the policy, which must be good. */
void set_policy(struct tls_policy *policy, const char *name, const char *value);

/* Without memory it has no session. */
void end_begin(struct end *end, const struct tls *tls, bool dialled);
void end_shake(struct end *end);
void end_hear(struct end *end, const unsigned char *bytes, size_t size);
/* Everything said is heard, `piece` bytes at a time. */
void end_deliver(struct end *from, struct end *to, size_t piece);
/* Both begin, and shake hands as far as they can. */
void ends_meet(struct end *server, struct end *client, const struct tls *tls, size_t piece);

#endif
