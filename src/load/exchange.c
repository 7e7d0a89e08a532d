/* Requests and replies on a connection that is established. */
#include "load/generator.h"

/* ---- sending ---- */

/* Requests that may go out now. */
static uint64_t wanted(const struct client *client)
{
    const struct generator *generator = client->generator;
    const struct load_plan *plan = generator->run->plan;
    uint64_t room = plan->depth - client_under_way(client);
    if (plan->churn && client->sent > client->first)
        return 0; /* one exchange per connection */
    if (generator->run->slot > 0)
        return client->due < room ? client->due : room;
    return generator->over || !run_start(generator->run) ? 0 : room;
}

static void note_sent(struct client *client, uint64_t count)
{
    struct generator *generator = client->generator;
    const struct run *run = generator->run;
    int64_t now = clock_ns();
    for (uint64_t i = 0; i < count; i++)
        client->sent_at[(client->sent + i) % run->plan->depth] = now;
    if (run->slot > 0)
        client->due -= count;
    else
        generator->owed += count;
    client->sent += count;
    generator->tally.bytes_out += count * run->messages.size;
}

void exchange_send(struct client *client)
{
    const struct messages *messages = &client->generator->run->messages;
    parley_conn *conn = client->conn;
    uint64_t count = client->idle || !conn || conn->connecting || conn->dead ? 0 : wanted(client);
    if (count == 0)
        return;
    struct iovec vector = {
        .iov_base = (void *)(uintptr_t)messages_from(messages, client_message(client, client->sent)),
        .iov_len = count * messages->size};
    note_sent(client, count);
    conn_queue(conn, &vector, 1); /* a failure shows when the connection closes */
}

/* ---- replies ---- */

/* From where on a reply is timed: the intended time, a churn's first step, or the send. */
static int64_t intended(const struct client *client, int64_t sent)
{
    const struct run *run = client->generator->run;
    if (run->slot > 0)
        return schedule_time(client, client->done);
    return run->plan->churn ? client->connect_at : sent;
}

static void answered(struct client *client, uint64_t count, int64_t now)
{
    struct generator *generator = client->generator;
    for (; count > 0; count--) {
        int64_t sent = client->sent_at[client->done % generator->run->plan->depth];
        generator_record(generator, intended(client, sent), sent, now);
        client->done++;
        generator->owed--;
    }
    if (generator->run->plan->churn)
        client_leave(client);
    else
        exchange_send(client);
}

/* A wrong byte leaves no way to tell where the next reply begins: the connection is given up. */
static bool is_as_sent(struct client *client, const void *bytes, size_t size)
{
    const struct run *run = client->generator->run;
    if (!run->plan->verify ||
        messages_match(&run->messages, client_message(client, client->first), client->position, bytes, size))
        return true;
    client_fault(client, FAULT_MISMATCH, 1, "the reply is not what was sent");
    parley_abort(client->conn);
    return false;
}

/* How many replies these bytes complete. */
static uint64_t completed(struct client *client, size_t size)
{
    const struct load_plan *plan = client->generator->run->plan;
    client->position += size;
    uint64_t complete = client->position / plan->reply_size, counted = client->done - client->first;
    uint64_t asked = client->sent - client->first;
    if (client->position > asked * plan->reply_size && !client->astray) {
        client->astray = true;
        client_fault(client, FAULT_MISMATCH, 1, "more bytes came than were asked for (--reply-size?)");
    }
    return (complete < asked ? complete : asked) - counted;
}

static uint64_t replies_in(struct client *client, const void *bytes, size_t size)
{
    switch (client->generator->run->plan->reply) {
    case REPLY_BYTES: return is_as_sent(client, bytes, size) ? completed(client, size) : 0;
    case REPLY_FRAMED: return client_under_way(client) > 0;
    default: return 0;
    }
}

void exchange_received(parley_conn *conn, const void *bytes, size_t size)
{
    struct client *client = *(struct client **)parley_state(conn);
    struct generator *generator = client->generator;
    int64_t now = clock_ns();
    bool is_first = client->position == 0;
    if (generator->dismissed)
        return;
    generator->tally.bytes_in += size;
    uint64_t replies = replies_in(client, bytes, size);
    client->position += generator->run->plan->reply == REPLY_BYTES ? 0 : size;
    if (is_first && generator->run->plan->churn && client->connect_at >= generator->window)
        histogram_record(&generator->tally.first_byte, (uint64_t)(now - client->connect_at));
    if (replies > 0)
        answered(client, replies, now);
}

void exchange_drained(parley_conn *conn)
{
    struct client *client = *(struct client **)parley_state(conn);
    if (client_under_way(client) > 0 && !client->generator->dismissed)
        answered(client, client_under_way(client), clock_ns());
}

void exchange_ended(parley_conn *conn)
{
    struct client *client = *(struct client **)parley_state(conn);
    if (client->generator->run->plan->reply == REPLY_END && client_under_way(client) > 0)
        answered(client, 1, clock_ns());
    else if (!client->generator->dismissed)
        client_fault(client, FAULT_CLOSED, client_under_way(client), "the server closed the connection");
    parley_finish(conn);
}
