/* Each connection forwarded: another one is dialled beside it, and the two are bridged. */
#include <stdio.h>
#include <string.h>

#include "engine/loop.h"
#include "engine/server.h"
#include "net/lookup.h"
#include "net/resolve.h"
#include "option/complain.h"
#include "service/service.h"

/* The two ends name each other, as long as both are there. */
struct relay {
    parley_conn *beside; /* of a client: the connection to the target, and the other way round */
};

static const char *target_of(const parley_conn *conn)
{
    const struct service_settings *settings = parley_user(conn);

    return settings->target;
}

/* A failure among others of its class: a target that is down does not fill the log. */
static void say_unreached(parley_conn *client, const char *why)
{
    log_line(&client->loop->log, LOG_CONN, parley_peer(client), "not forwarded to %s: %s", target_of(client),
             why);
}

/* ---- the connection to the target ---- */

static void target_closed(parley_conn *conn, parley_reason reason)
{
    const struct relay *state = parley_state(conn);

    if (!state->beside)
        return;
    if (reason == PARLEY_UNREACHED || reason == PARLEY_REFUSED)
        say_unreached(state->beside, parley_failure(conn));
    ((struct relay *)parley_state(state->beside))->beside = NULL;
}

static const parley_handler target_handler =
    PARLEY_HANDLER(.name = "target", .state_size = sizeof(struct relay), .closed = target_closed);

/* ---- the client ---- */

/* Bridged before the target is there: what the client says meanwhile waits, up to high-water. */
static void opened(parley_conn *client)
{
    struct relay *state = parley_state(client);
    parley_conn *target = parley_connect(client, target_of(client), &target_handler, parley_user(client));

    if (!target || parley_bridge(client, target) < 0) {
        say_unreached(client, parley_error());
        parley_abort(client);
        if (target)
            parley_abort(target);
        return;
    }
    state->beside = target;
    ((struct relay *)parley_state(target))->beside = client;
}

static void closed(parley_conn *client, parley_reason reason)
{
    const struct relay *state = parley_state(client);

    (void)reason;
    if (state->beside)
        ((struct relay *)parley_state(state->beside))->beside = NULL;
}

const parley_handler relay_handler =
    PARLEY_HANDLER(.name = "relay", .state_size = sizeof(struct relay), .needs = PARLEY_BESIDE,
                   .opened = opened, .closed = closed);

/* ---- the command line ---- */

static const struct option relay_options[] = {
    {.name = "to",
     .argument = "ADDRESS",
     .help = "whom each connection is forwarded to: 3000, host:3000, [::1]:3000, unix:/path, @name"},
    {.name = "to-tls",
     .setting = "dial-tls",
     .help = "speaks TLS to it, and verifies its certificate: its chain, its name, its dates"},
    {.name = "to-ca",
     .argument = "FILE",
     .setting = "dial-ca",
     .kind = OPTION_PATH,
     .help = "trusts the authorities, or the certificate, in FILE instead of the system's"},
    {.name = "to-server-name",
     .argument = "NAME",
     .setting = "server-name",
     .help = "whom its certificate must be for, and the name asked for (SNI); the host of --to"},
    {.name = "to-pin",
     .argument = "sha256:HEX",
     .setting = "pin",
     .help = "trusts exactly the certificate of this fingerprint (SHA-256 of its DER)"},
    {.name = "to-insecure", .setting = "insecure", .help = "verifies nothing: whoever answers is believed"},
    {.name = "to-cert",
     .argument = "FILE",
     .setting = "dial-cert",
     .kind = OPTION_PATH,
     .help = "our own certificate in PEM, for a target that asks for one"},
    {.name = "to-key",
     .argument = "FILE",
     .setting = "dial-key",
     .kind = OPTION_PATH,
     .help = "its key; without one it is in the certificate's file"},
    {.name = "to-alpn",
     .argument = "LIST",
     .setting = "dial-alpn",
     .help = "the protocols offered to it, the preferred first: h2,http/1.1"},
    {.name = "connect-timeout",
     .argument = "TIME",
     .setting = "connect-timeout",
     .help = "gives up a target that is not reached within so long, name look-up and retries included; 10s"},
    {.name = "retry",
     .argument = "N",
     .setting = "retry",
     .help = "tries it again so many times, pausing longer and longer; 0"},
    {0},
};
const struct option_group relay_group = {
    .title = "The service relay", .options = relay_options, .service = "relay"};

/* They say whom to believe, and nobody would be asked. */
static int check_tls(const struct arguments *arguments)
{
    for (const struct option *option = relay_options; option->name; option++)
        if (strncmp(option->name, "to-", 3) == 0 && arguments_given(arguments, option->name))
            return complain(arguments->subcommand, "--%s is about TLS to the target: add --to-tls",
                            option->name);
    return 0;
}

int relay_check(const struct arguments *arguments, const char *target)
{
    struct endpoint endpoint;

    if (!target)
        return complain(arguments->subcommand, "whom are connections forwarded to? --to ADDRESS tells");
    if (endpoint_parse(&endpoint, target) < 0)
        return complain(arguments->subcommand, "--to: %s", parley_error());
    if (arguments_given(arguments, "framing"))
        return complain(arguments->subcommand, "relay passes on bytes as they come: it has no --framing");
    if (!arguments_given(arguments, "to-tls"))
        return check_tls(arguments);
    if (arguments_given(arguments, "to-insecure"))
        complain(arguments->subcommand, "--to-insecure: the target's certificate is not verified, so anybody "
                                        "may be at the other end");
    return 0;
}

/* Whatever a name leads to may change, so that is asked at each dial; what is written in numbers is known
 * now. Of "localhost" and of a port alone, which have two addresses, one may be another server's. */
int relay_check_listening(const struct arguments *arguments, parley_server *server)
{
    const char *target = arguments_value(arguments, "to");
    struct address_list list;
    struct endpoint endpoint;
    size_t ours = 0;
    int status = endpoint_parse(&endpoint, target);

    server->shuns_itself = true;
    if (status < 0 || endpoint_needs_lookup(&endpoint))
        return status;
    status =
        resolve(&endpoint, endpoint_family(&endpoint) ? AF_UNSPEC : server->options.family, false, &list);
    if (status < 0)
        return complain_failure(arguments->subcommand, status);
    for (size_t i = 0; i < list.count; i++)
        ours += server_listens_at(server, &list.items[i]);
    status = ours < list.count
                 ? 0
                 : complain(arguments->subcommand,
                            "--to %s: this server listens there itself, and would forward to itself "
                            "without end; give another address or port",
                            target);
    address_list_free(&list);
    return status;
}
