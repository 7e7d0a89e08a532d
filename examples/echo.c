/* An echo server: what comes in goes out again.
 *
 *     cc echo.c $(pkg-config --cflags --libs parley) -o echo && ./echo 3000
 *
 * The handler says what one connection does. How many workers run it, and how they learn of bytes, is
 * the second argument's affair: try "iterative", "fork", "thread", "prefork+poll", "prethread+uring". */
#include <parley.h>

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    parley_send(conn, bytes, size); /* queued: parley sends it all, however slowly the client reads */
}

int main(int count, char **words)
{
    static const parley_handler echo = PARLEY_HANDLER(.name = "echo", .received = received);
    return parley_serve(&echo, count > 1 ? words[1] : "3000", count > 2 ? words[2] : NULL);
}
