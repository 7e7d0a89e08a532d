#include "engine/admission.h"
#include "engine/access.h"
#include "engine/error.h"
#include "engine/loop.h"
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
