/* Requests and replies on a connection that is established. */
#include "load/generator.h"

/* ---- sending ---- */

/* Requests that may go out now. In a closed loop none do before the start, when the end is not known and 0,
 * nor after the end, which the pace may come to see some turns later. */
static uint64_t wanted(const struct client *client, int64_t now)
{
    const struct generator *generator = client->generator;
    const struct load_plan *plan = generator->run->plan;
    uint64_t room = plan->depth - client_under_way(client);
    if (plan->churn && client->sent > client->first)
        return 0; /* one exchange per connection */
    if (generator->run->slot > 0)
        return client->due < room ? client->due : room;
    return now < generator->end ? room : 0;
}

static void note_sent(struct client *client, uint64_t count, int64_t now)
{
    struct generator *generator = client->generator;
    const struct run *run = generator->run;
    unsigned place = client->oldest + client->batch_count++;
    client->batches[place < run->plan->depth ? place : place - run->plan->depth] = (struct batch){now, count};
    if (run->slot > 0)
        client->due -= count;
    else
        generator->owed += count;
    client->sent += count;
    generator->tally.bytes_out += count * run->messages.size;
}

/* What is sent once the server has finished would be lost, and nobody would count it. */
static bool can_send(const struct client *client)
{
    const parley_conn *conn = client->conn;
    return !client->idle && conn && !conn->connecting && !conn->finishing && !conn->dead;
}

/* `now` may be some hundred ns old: what we do ourselves before the send counts for the reply, not against
 * it. */
void exchange_send(struct client *client, int64_t now)
{
    const struct messages *messages = &client->generator->run->messages;
    uint64_t count = can_send(client) ? wanted(client, now) : 0;
    if (count == 0)
        return;
    struct iovec vector = {
        .iov_base = (void *)(uintptr_t)messages_from(messages, client_message(client, client->sent)),
        .iov_len = count * messages->size};
    note_sent(client, count, now);
    conn_queue(client->conn, &vector, 1); /* a failure shows when the connection closes */
}

/* ---- replies ---- */

/* An open loop times each request from when it was due; a churn from its first step; a closed loop from the
 * send, which is the same for a whole batch. */
static void record(const struct client *client, const struct batch *batch, uint64_t count, int64_t now)
{
    struct generator *generator = client->generator;
    bool churns = generator->run->plan->churn;
    if (generator->run->slot == 0) {
        int64_t begun = churns ? client->connect_at : batch->sent_at;
        generator_record(generator, begun, batch->sent_at, now, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        generator_record(generator, schedule_time(client, client->done + i), batch->sent_at, now, 1);
}

static void take_oldest(struct client *client, uint64_t count, int64_t now)
{
    struct batch *batch = &client->batches[client->oldest];
    record(client, batch, count, now);
    batch->count -= count;
    client->done += count;
    if (batch->count > 0)
        return;
    client->batch_count--;
    if (++client->oldest == client->generator->run->plan->depth)
        client->oldest = 0;
}

static void answered(struct client *client, uint64_t count, int64_t now)
{
    client->generator->owed -= count;
    for (uint64_t part; count > 0; count -= part) {
        uint64_t together = client->batches[client->oldest].count;
        part = count < together ? count : together;
        take_oldest(client, part, now);
    }
    if (client->generator->run->plan->churn)
        client_hang_up(client);
    else
        exchange_send(client, now);
}

/* A wrong byte leaves no way to tell where the next reply begins: the connection is given up. */
static bool is_as_sent(struct client *client, const void *bytes, size_t size)
{
    const struct run *run = client->generator->run;
    if (!run->plan->verify ||
        messages_match(&run->messages, client_message(client, client->first), client->position, bytes, size))
        return true;
    client_fault(client, FAULT_MISMATCH, client_under_way(client), "the reply is not what was sent");
    parley_abort(client->conn);
    return false;
}

static void note_unasked(struct client *client)
{
    if (!client->astray)
        client_fault(client, FAULT_MISMATCH, 1, "more bytes came than were asked for (--reply-size?)");
    client->astray = true;
}

/* How many replies these bytes complete. */
static uint64_t completed(struct client *client, size_t size)
{
    size_t whole = client->generator->run->plan->reply_size;
    uint64_t count = 0, asked = client_under_way(client);
    if (size >= client->reply_left) {
        size -= client->reply_left;
        count = 1 + (size < whole ? 0 : size / whole);
        client->reply_left = whole;
        size = size < whole ? size : size % whole;
    }
    client->reply_left -= size;
    if (count > asked || (count == asked && size > 0))
        note_unasked(client);
    return count < asked ? count : asked;
}

static uint64_t replies_in(struct client *client, const void *bytes, size_t size)
{
    enum reply_kind kind = client->generator->run->plan->reply;
    if (client->idle || kind == REPLY_END)
        return 0;
    if (kind == REPLY_BYTES)
        return is_as_sent(client, bytes, size) ? completed(client, size) : 0;
    if (kind == REPLY_FRAMED && client_under_way(client) > 0)
        return 1;
    note_unasked(client);
    return 0;
}

void exchange_received(parley_conn *conn, const void *bytes, size_t size)
{
    struct client *client = *(struct client **)parley_state(conn);
    struct generator *generator = client->generator;
    int64_t now = clock_ns();
    bool is_first = client->position == 0;
    if (generator->dismissed)
        return;
    uint64_t came = conn->secured ? size : conn->received - client->position;
    generator->tally.bytes_in += came;
    uint64_t replies = replies_in(client, bytes, size);
    client->position += came;
    if (is_first && generator->run->plan->churn && client_under_way(client) > 0 &&
        client->connect_at >= generator->window)
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

/* A churn that has not started yet, or a client at the end of the load, loses nothing. */
static bool is_early(const struct client *client)
{
    const struct generator *generator = client->generator;
    if (client_under_way(client) > 0)
        return true;
    return client_has_work(client) &&
           (client->idle || !generator->run->plan->churn || generator_has_started(generator));
}

void exchange_ended(parley_conn *conn)
{
    struct client *client = *(struct client **)parley_state(conn);
    if (client->generator->run->plan->reply == REPLY_END && client_under_way(client) > 0)
        answered(client, 1, clock_ns());
    else if (is_early(client))
        client_fault(client, FAULT_CLOSED, client_under_way(client), "the server closed the connection");
    parley_finish(conn);
}
