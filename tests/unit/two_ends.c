#include "two_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <parley.h>

void set_policy(struct tls_policy *policy, const char *name, const char *value)
{
    if (tls_policy_set(policy, name, value) < 0)
        fail_msg("%s %s: %s", name, value, parley_error());
}

static int put(void *owner, const void *bytes, size_t size)
{
    struct end *end = owner;
    if (size > ROOM - end->outbox_size)
        return -1;
    memcpy(end->outbox + end->outbox_size, bytes, size);
    end->outbox_size += size;
    return 0;
}

void end_begin(struct end *end, const struct tls *tls, bool dialled)
{
    memset(end, 0, sizeof *end);
    end->session = tls_session_new(tls, dialled, dialled ? "localhost" : NULL, put, end);
}

static void judge(struct end *end, enum tls_outcome outcome)
{
    end->is_broken |= outcome == TLS_BROKEN;
    end->has_ended |= outcome == TLS_ENDED;
}

void end_shake(struct end *end)
{
    judge(end, tls_shake(end->session));
}

void end_hear(struct end *end, const unsigned char *bytes, size_t size)
{
    size_t got;
    enum tls_outcome outcome = TLS_DONE;
    tls_lend(end->session, bytes, size);
    if (!end->is_done) {
        outcome = tls_shake(end->session);
        end->is_done = outcome == TLS_DONE;
    }
    while (outcome == TLS_DONE) {
        outcome =
            tls_read(end->session, end->heard + end->heard_size, sizeof end->heard - end->heard_size, &got);
        end->heard_size += got;
    }
    judge(end, outcome);
    tls_lend(end->session, NULL, 0);
}

void end_deliver(struct end *from, struct end *to, size_t piece)
{
    static unsigned char wire[ROOM];
    size_t size = from->outbox_size;
    memcpy(wire, from->outbox, size);
    from->outbox_size = 0;
    for (size_t at = 0; at < size && !to->is_broken; at += piece)
        end_hear(to, wire + at, piece < size - at ? piece : size - at);
}

void ends_meet(struct end *server, struct end *client, const struct tls *tls, size_t piece)
{
    end_begin(server, tls, false);
    end_begin(client, tls, true);
    if (!server->session || !client->session)
        return;
    end_shake(client);
    while (client->outbox_size + server->outbox_size > 0) {
        end_deliver(client, server, piece);
        end_deliver(server, client, piece);
    }
}
