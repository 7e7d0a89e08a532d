/* A client in one call: binds to any free local port, connects, sends, hands what arrives to a callback.
 *
 *     cc callback_client.c $(pkg-config --cflags --libs parley) -o callback_client
 *     ./callback_client 127.0.0.1:3000 helloworld
 * A dialled connection is a connection like an accepted one: the same handler, the same rules. */
#include <parley.h>
#include <stdio.h>
#include <string.h>

struct request {
    const char *text;
    void (*arrived)(const void *bytes, size_t size); /* called for each piece, as it comes */
};

static void opened(parley_conn *conn)
{
    const struct request *request = parley_user(conn);
    fprintf(stderr, "%s -> %s\n", parley_local(conn), parley_peer(conn));
    parley_send(conn, request->text, strlen(request->text));
    parley_half_close(conn); /* we have said all; the answer can still come */
}

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    const struct request *request = parley_user(conn);
    request->arrived(bytes, size);
}

/* The whole client: 0, or a parley_status whose sentence parley_error() has. */
static int ask(const char *address, struct request *request)
{
    static const parley_handler client =
        PARLEY_HANDLER(.name = "client", .opened = opened, .received = received);
    parley_server *server = parley_server_new(&client);
    int status = server != NULL ? parley_set(server, "model", "iterative+epoll") : PARLEY_RESOURCE;

    /* Without parley_set(server, "bind", ...) the kernel chooses the local address and a free port. */
    if (status == PARLEY_OK && (status = parley_dial(server, address)) == PARLEY_OK) {
        parley_server_set_user(server, request);
        status = parley_run(server); /* returns when the connection has ended */
    }
    parley_server_free(server);
    return status;
}

static void print(const void *bytes, size_t size)
{
    fwrite(bytes, 1, size, stdout);
}

int main(int count, char **words)
{
    struct request request = {.text = count > 2 ? words[2] : "helloworld", .arrived = print};
    int status = ask(count > 1 ? words[1] : "127.0.0.1:3000", &request);
    if (status < 0)
        fprintf(stderr, "callback_client: %s\n", parley_error());
    return parley_exit_code(status);
}
