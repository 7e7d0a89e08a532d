#include "service/service.h"

static void echo_received(parley_conn *conn, const void *bytes, size_t size)
{
    const struct service_settings *settings = parley_user(conn);

    parley_log_message(conn, "message", bytes, size);
    parley_send(conn, bytes, size);
    if (settings->once)
        parley_finish(conn);
}

const parley_handler echo_handler = PARLEY_HANDLER(.name = "echo", .received = echo_received);

static const struct option echo_options[] = {
    {.name = "once", .help = "one exchange a connection: answers the first message and closes"},
    {0},
};
const struct option_group echo_group = {
    .title = "The service echo", .options = echo_options, .service = "echo"};
