/* Request and reply: each message is preceded by its length, four bytes, the highest first.
 *
 *     cc reqrep_server.c $(pkg-config --cflags --libs parley) -o reqrep_server && ./reqrep_server 4000
 *
 * The framing "u32be" takes the lengths off and puts them on, so any bytes can be a message. `max` bounds
 * what a client may claim: a length is only a claim, and memory is used for what has arrived. */
#include <parley.h>
#include <string.h>

/* What is kept for each connection. */
struct session {
    unsigned requests;
};

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    struct session *session = parley_state(conn); /* ours, zeroed when the connection began */

    session->requests++;
    if (size >= 5 && memcmp(bytes, "echo ", 5) == 0)
        parley_send(conn, (const char *)bytes + 5, size - 5);
    else if (size == 5 && memcmp(bytes, "count", 5) == 0)
        parley_sendf(conn, "%u", session->requests);
    else
        parley_sendf(conn, "unknown request of %zu bytes; there are: echo TEXT, count", size);
}

int main(int count, char **words)
{
    static const parley_handler reqrep =
        PARLEY_HANDLER(.name = "reqrep", .framing = "u32be max=1MiB", .state_size = sizeof(struct session),
                       .received = received);

    return parley_serve(&reqrep, count > 1 ? words[1] : "4000", count > 2 ? words[2] : NULL);
}
