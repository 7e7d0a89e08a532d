/* Reads the client's first message, logs it, answers with a greeting and closes.
 *
 *     cc greeting.c $(pkg-config --cflags --libs parley) -o greeting && ./greeting 8900
 *
 * It shows what parley_serve() does in one call: make a server, set its options, listen, run. */
#include <parley.h>
#include <stdio.h>

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    /* "127.0.0.1:40000 said: 5 bytes "hello"": escaped, so a client cannot forge lines of the log. */
    parley_log_message(conn, "said", bytes, size);
    parley_sendf(conn, "Hello, %s!\n", parley_peer(conn));
    parley_finish(conn); /* sends what is queued, then closes; nothing is received after it */
}

/* One line on stderr, and the exit code that the parley command would give. */
static int give_up(parley_server *server, int status)
{
    fprintf(stderr, "greeting: %s\n", parley_error());
    parley_server_free(server);
    return parley_exit_code(status);
}

int main(int count, char **words)
{
    static const parley_handler greeting = PARLEY_HANDLER(.name = "greeting", .received = received);
    parley_server *server = parley_server_new(&greeting);
    int status = PARLEY_RESOURCE;

    if (server == NULL || (status = parley_set(server, "log", "text")) != PARLEY_OK ||
        (status = parley_set(server, "signals", "on")) != PARLEY_OK || /* ^C stops it in good order */
        (status = parley_set(server, "idle", "30s")) != PARLEY_OK ||   /* a silent client is not kept */
        (status = parley_listen(server, count > 1 ? words[1] : "8900")) != PARLEY_OK)
        return give_up(server, status);
    printf("greeting on %s\n", parley_listener_address(server, 0));
    fflush(stdout);
    if ((status = parley_run(server)) < 0)
        return give_up(server, status);
    parley_server_free(server);
    return parley_exit_code(status);
}
