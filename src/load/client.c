/* The connections of a simulated client: made, lost, made again. */
#include "base/error.h"
#include "engine/secure.h"
#include "engine/server.h"
#include "load/generator.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* After a failure the next attempt waits: 1 ms, 2 ms, ... */
enum { MOST_DOUBLINGS = 10, HOPELESS = 100 };

/* ---- counting ---- */

void client_fault(struct client *client, enum load_fault fault, uint64_t count, const char *sentence)
{
    struct generator *generator = client->generator;
    count = count > 0 ? count : 1;
    if (generator->dismissed || generator->loop->draining)
        return;
    /* What went wrong in the warm-up is told by its sentence, if it is the first, and counted in its interval
     * alone. */
    bool counts = generator->counting || !generator_has_started(generator);
    load_fault_note(generator->tally.faults, fault, counts ? count : 0, sentence);
    generator->tally.errors += count;
}

/* The first attempt of each client decides when the run starts, and whether it is worth it. */
static void settle(struct client *client, bool reached)
{
    struct run *run = client->generator->run;
    if (client->settled)
        return;
    client->settled = true;
    if (client->generator->loop->draining) /* called off: it says nothing of the server */
        return;
    unsigned total = run->plan->connections + run->plan->idle;
    atomic_fetch_add(&run->reached, reached); /* first: who sees all settled sees who was reached */
    unsigned settled = atomic_fetch_add(&run->settled, 1) + 1;
    if (atomic_load(&run->reached) == 0 && settled >= (total < HOPELESS ? total : HOPELESS)) {
        atomic_store(&run->hopeless, true);
        parley_stop(run->server);
    }
}

/* ---- connecting ---- */

/* Whether this machine is at its limit, rather than the peer or the way to it. */
static bool is_ours(int error)
{
    return error == EADDRNOTAVAIL || error == EMFILE || error == ENFILE || error == ENOMEM ||
           error == ENOBUFS;
}

static void try_later(struct client *client)
{
    struct generator *generator = client->generator;
    unsigned doublings = client->failures < MOST_DOUBLINGS ? client->failures : MOST_DOUBLINGS;
    client->failures++;
    if (generator->dismissed || generator->loop->draining)
        return;
    timer_arm(&generator->timers, &client->timer, clock_ns() + ((int64_t)NS_PER_MS << doublings));
    generator->loop->restless = true;
}

/* A unix listener's queue is full: no failure as long as another would wait. */
static bool has_to_wait(const struct client *client, int error)
{
    int64_t timeout = client->generator->run->plan->connect_timeout;
    return error == EAGAIN && client->failures < 32 && (INT64_C(1) << client->failures) < timeout;
}

/* It could not even begin; errno says why. */
static void not_begun(struct client *client)
{
    int error = errno;
    if (!has_to_wait(client, error)) {
        client_fault(client, is_ours(error) ? FAULT_LOCAL : FAULT_CONNECT, 1, parley_error());
        settle(client, false);
    }
    try_later(client);
}

static const struct address *next_source(struct generator *generator)
{
    const struct run *run = generator->run;
    if (run->source_count == 0)
        return NULL;
    return &run->sources[generator->source++ % run->source_count];
}

void client_connect(struct client *client)
{
    struct generator *generator = client->generator;
    parley_conn *conn;
    client->connect_at = clock_ns();
    if (loop_connect(generator->loop, &generator->run->target, next_source(generator), &conn) < 0) {
        not_begun(client);
        return;
    }
    *(struct client **)parley_state(conn) = client;
    client->conn = conn;
    generator->connecting++;
}

void client_timer(struct timer *timer)
{
    struct client *client = (struct client *)(void *)((char *)timer - offsetof(struct client, timer));
    if (!client->conn && client_has_work(client))
        client_connect(client);
}

static void opened(parley_conn *conn)
{
    struct client *client = *(struct client **)parley_state(conn);
    struct generator *generator = client->generator;
    generator->connecting--;
    generator_count_open(generator, 1);
    client->failures = 0;
    client->first = client->sent;
    client->position = 0;
    client->reply_left = generator->run->plan->reply_size;
    client->astray = false;
    settle(client, true);
    if (generator->counting) {
        generator->tally.connects++;
        generator->tally.resumed += conn->secured && *parley_tls(conn, "resumed");
        histogram_record(&generator->tally.connect, (uint64_t)(clock_ns() - client->connect_at));
    }
    if (generator->dismissed || !client_has_work(client))
        parley_finish(conn);
    else
        exchange_send(client, clock_ns());
}

/* ---- the end ---- */

/* All of the reply is here, so a close(2) says FIN and destroys nothing. */
void client_hang_up(struct client *client)
{
    if (client->conn->secured)
        secure_say_end(client->conn);
    conn_die(client->conn, PARLEY_FINISHED);
}

/* Requests that were under way will not be answered. */
static void give_up(struct client *client)
{
    client->generator->owed -= client_under_way(client);
    client->done = client->sent;
    client->batch_count = 0;
}

static void not_reached(struct client *client, const parley_conn *conn)
{
    char peer[ADDRESS_TEXT], sentence[ADDRESS_TEXT + FAULT_SENTENCE];
    bool refused = conn->reason == PARLEY_REFUSED;
    snprintf(peer, sizeof peer, "%s", parley_peer((parley_conn *)conn));
    if (refused)
        snprintf(sentence, sizeof sentence, "%s: %s", peer, parley_failure(conn));
    else
        snprintf(sentence, sizeof sentence, "connect %s: %s", peer, reason_of("connect", conn->error));
    client_fault(client, !refused && is_ours(conn->error) ? FAULT_LOCAL : FAULT_CONNECT, 1, sentence);
    settle(client, false);
}

static void lost(struct client *client, parley_conn *conn, parley_reason reason)
{
    const char *failure = parley_failure(conn);
    if (reason == PARLEY_TLS_TRUNCATED || reason == PARLEY_TLS_BROKEN)
        client_fault(client, FAULT_CLOSED, client_under_way(client),
                     *failure ? failure : parley_reason_text(reason));
    else if (conn->eof)
        return; /* what was under way counted when the server finished */
    else if (reason == PARLEY_RESET || reason == PARLEY_FAILED)
        client_fault(client, FAULT_RESET, client_under_way(client), *failure ? failure : "reset");
    else if (reason == PARLEY_BAD_MESSAGE)
        client_fault(client, FAULT_MISMATCH, client_under_way(client), parley_reason_text(reason));
}

static void go_on(struct client *client)
{
    struct generator *generator = client->generator;
    const struct run *run = generator->run;
    bool churns = run->plan->churn && !client->idle;
    generator->loop->restless |= generator->dismissed; /* it waits for the last one to leave */
    if (generator->dismissed || generator->loop->draining)
        return;
    if (client->failures > 0 || !churns)
        try_later(client);
    else if (run->slot > 0 ? client->due > 0
                           : generator_has_started(generator) && !generator_is_over(generator))
        client_connect(client);
}

static void closed(parley_conn *conn, parley_reason reason)
{
    struct client *client = *(struct client **)parley_state(conn);
    client->conn = NULL;
    if (!conn->opened) {
        client->generator->connecting--;
        not_reached(client, conn);
        client->failures += client->failures == 0;
    } else {
        generator_count_open(client->generator, -1);
        lost(client, conn, reason);
    }
    give_up(client);
    go_on(client);
}

const parley_handler load_handler =
    PARLEY_HANDLER(.name = "load", .state_size = sizeof(struct client *), .opened = opened,
                   .received = exchange_received, .ended = exchange_ended, .closed = closed);
const parley_handler load_handler_without_replies =
    PARLEY_HANDLER(.name = "load", .state_size = sizeof(struct client *), .opened = opened,
                   .received = exchange_received, .drained = exchange_drained, .ended = exchange_ended,
                   .closed = closed);
