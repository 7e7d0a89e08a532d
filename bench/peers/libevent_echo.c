/* libevent on raw events: a bufferevent reads 4 KiB (by default) and copies through chains, which makes
 * large messages several times dearer, so the best form keeps the library's loop and moves the bytes itself.
 */
#include "peer.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct connection {
    struct event event;
    struct peer_rest rest;
    short wanted;
};

static struct event_base *base;
static char buffer[PEER_BUFFER];

static void end_connection(struct connection *connection)
{
    int fd = event_get_fd(&connection->event);
    event_del(&connection->event);
    close(fd);
    free(connection->rest.bytes);
    free(connection);
}

static void serve(int fd, short events, void *argument);

static void want(struct connection *connection, int fd, short wanted)
{
    if (connection->wanted == wanted)
        return;
    if (connection->wanted)
        event_del(&connection->event);
    connection->wanted = wanted;
    event_assign(&connection->event, base, fd, (short)(wanted | EV_PERSIST), serve, connection);
    event_add(&connection->event, NULL);
}

static void serve(int fd, short events, void *argument)
{
    struct connection *connection = argument;
    (void)events;
    switch (peer_echo(fd, &connection->rest, buffer, false)) {
    case PEER_WAITS_INPUT: want(connection, fd, EV_READ); break;
    case PEER_WAITS_OUTPUT: want(connection, fd, EV_WRITE); break;
    case PEER_OVER: end_connection(connection); break;
    }
}

static void accept_all(int listener, short events, void *argument)
{
    int fd;
    (void)events, (void)argument;
    while ((fd = peer_accept(listener)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection)
            want(connection, fd, EV_READ);
        else
            close(fd);
    }
}

int main(int argc, char **argv)
{
    struct event listening;
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    base = event_base_new_with_config(config);
    if (!base)
        return 1;
    event_config_free(config);
    event_assign(&listening, base, peer_listen(peer_port(argc, argv), SOCK_NONBLOCK), EV_READ | EV_PERSIST,
                 accept_all, NULL);
    event_add(&listening, NULL);
    return event_base_dispatch(base);
}
