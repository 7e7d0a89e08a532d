#include "engine/admission.h"
#include "engine/access.h"
#include "engine/census.h"
#include "engine/crowd.h"
#include "engine/error.h"
#include "engine/loop.h"
#include "engine/proxied.h"
#include "engine/server.h"

int admission_by_address(struct loop *loop, const struct sockaddr *client)
{
    char who[ADDRESS_TEXT], why[ACCESS_TEXT];
    const struct access *access =
        (struct access *)reload_latest(loop->server, &loop->server->access, &loop->access);
    if (!access)
        return 0;
    if (!access_allows(access, client, why))
        return fail(PARLEY_NETWORK, "%s", why);
    if (log_wants(&loop->log, LOG_DETAIL))
        log_line(&loop->log, LOG_DETAIL, address_text(client, address_length(client), who), "let in: %s",
                 why);
    return 0;
}

/* A client that gets a process or thread of its own is counted there; none is started for one too many. */
static int ask_census(const struct loop *loop, const struct sockaddr *client)
{
    const struct limits *limits = &loop->server->options.limits;
    const struct census_limits most = {limits->per_address, limits->per_network};
    if (!loop->hands_over || !loop->server->census)
        return 0;
    const struct network network = network_of(client);
    return census_ask(loop->server->census, &most, &network);
}

int admission_at_accept(struct loop *loop, int fd, const struct sockaddr *peer)
{
    bool is_known = !proxied_expects(loop->server, peer);
    int status = is_known ? admission_by_address(loop, peer) : 0;
    if (status < 0) {
        limits_turn_away(loop->server, fd, FULL_CLOSE);
        return status;
    }
    status = is_known ? ask_census(loop, peer) : 0;
    if (status == 0)
        status = crowd_enter(loop);
    if (status < 0)
        limits_turn_away(loop->server, fd, loop->server->options.limits.when_full);
    return status;
}
