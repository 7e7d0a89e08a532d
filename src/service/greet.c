#include "service/service.h"

struct greet {
    bool greeted;
};

static void greet(parley_conn *conn)
{
    const struct service_settings *settings = parley_user(conn);
    struct greet *state = parley_state(conn);

    if (!state->greeted) {
        state->greeted = true;
        parley_send(conn, settings->message, settings->message_size);
        parley_finish(conn);
    }
}

static void greet_received(parley_conn *conn, const void *bytes, size_t size)
{
    const struct greet *state = parley_state(conn);

    if (!state->greeted) {
        parley_log_message(conn, "message", bytes, size);
        greet(conn);
    }
}

/* A client that ends without a word is greeted as well. */
const parley_handler greet_handler = PARLEY_HANDLER(.name = "greet", .state_size = sizeof(struct greet),
                                                    .received = greet_received, .ended = greet);

static const struct option greet_options[] = {
    {.name = "message",
     .may_be_empty = true,
     .argument = "TEXT",
     .help = "what it answers, sent exactly as given; by default \"Hello!\" and a newline"},
    {0},
};
const struct option_group greet_group = {
    .title = "The service greet", .options = greet_options, .service = "greet"};
