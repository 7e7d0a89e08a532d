#include "limit/admission.h"
#include "base/error.h"
#include "engine/loop.h"
#include "engine/proxied.h"
#include "engine/server.h"
#include "limit/access.h"
#include "limit/census.h"
#include "limit/crowd.h"

/* Where a door has the rules of the front door, so has the loop's view of it. */
static const struct access *access_of(struct loop *loop, const struct door *door)
{
    struct access_list *list = door->access;
    if (!list)
        return NULL;
    return (struct access *)reload_latest(loop->server, &list->reloadable,
                                          &loop->doorways[door->number].access);
}

int admission_by_address(struct loop *loop, const struct door *door, const struct sockaddr *client)
{
    char who[ADDRESS_TEXT], why[ACCESS_TEXT];
    const struct access *access = access_of(loop, door);
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
static int ask_census(const struct loop *loop, const struct door *door, const struct sockaddr *client)
{
    const struct census_limits most = census_limits_of(door);
    if (!loop->hands_over || !loop->server->census)
        return 0;
    const struct network network = network_of(client);
    return census_ask(loop->server->census, &most, &network);
}

int admission_at_accept(struct loop *loop, const struct door *door, int fd, const struct sockaddr *peer)
{
    bool is_known = !proxied_expects(door->options, peer);
    int status = is_known ? admission_by_address(loop, door, peer) : 0;
    if (status < 0) {
        limits_close_on(fd);
        return status;
    }
    status = is_known ? ask_census(loop, door, peer) : 0;
    if (status == 0)
        status = crowd_enter(loop, door);
    if (status < 0)
        limits_turn_away(door, fd);
    return status;
}
