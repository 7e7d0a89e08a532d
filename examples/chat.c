/* A chat: what one says, all others hear.
 *
 *     cc chat.c $(pkg-config --cflags --libs parley) -o chat && ./chat 7000
 *
 * Clients are served by several threads, so one is never written to by another directly: it is named by
 * its parley_id, and parley_server_send() brings the line to the thread that serves it. The list of who is
 * here is shared, hence the lock. `.needs` has the models refused under which this could not work. */
#include <parley.h>
#include <pthread.h>
#include <stdio.h>

enum { SEATS = 1000 };

static parley_id guests[SEATS]; /* 0: a free seat */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Puts `new` where `old` is: a guest on a free seat, or the other way round. */
static bool seat(parley_id old, parley_id new)
{
    int i = 0;
    pthread_mutex_lock(&lock);
    while (i < SEATS && guests[i] != old)
        i++;
    if (i < SEATS)
        guests[i] = new;
    pthread_mutex_unlock(&lock);
    return i < SEATS;
}

static void opened(parley_conn *conn)
{
    if (!seat(0, parley_id_of(conn)))
        parley_finish(conn); /* full */
}

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    char line[1024];
    int length = snprintf(line, sizeof line, "%s: %.*s", parley_peer(conn), (int)size, (const char *)bytes);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < SEATS; i++)
        if (guests[i] != 0 && guests[i] != parley_id_of(conn))
            parley_server_send(parley_server_of(conn), guests[i], line, (size_t)length);
    pthread_mutex_unlock(&lock);
}

static void closed(parley_conn *conn, parley_reason reason)
{
    (void)reason;
    seat(parley_id_of(conn), 0);
}

int main(int count, char **words)
{
    static const parley_handler chat =
        PARLEY_HANDLER(.name = "chat", .needs = PARLEY_PUSH, .opened = opened, .framing = "line max=512",
                       .received = received, .closed = closed);
    return parley_serve(&chat, count > 1 ? words[1] : "7000", count > 2 ? words[2] : NULL);
}
