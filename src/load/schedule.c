/* The open loop's schedule. It does not wait for answers: what a slow server holds up stays due, and is timed
 * from when it should have been sent (no coordinated omission). */
#include "load/generator.h"

/* Slots handed out before the loop turns: a generator that is behind must still read what has arrived. */
enum { MOST_SLOTS_AT_ONCE = 1024 };

static int64_t slot_time(const struct run *run, uint64_t slot)
{
    return run_start(run) + (int64_t)((double)slot * run->slot);
}

static uint64_t slot_of(const struct client *client, uint64_t round)
{
    return round * client->generator->run->plan->connections + client->index;
}

int64_t schedule_time(const struct client *client, uint64_t number)
{
    return slot_time(client->generator->run, slot_of(client, client->skipped + number));
}

static bool has_begun(const struct generator *generator, const struct client *client)
{
    return client < generator->clients + generator->opened;
}

/* What the schedule has in the window, and how late we came to it. */
static void note_intended(struct generator *generator, int64_t intended, int64_t now)
{
    if (intended < generator->window)
        return;
    generator->tally.intended++;
    histogram_record(&generator->tally.lag, (uint64_t)(now - intended));
}

/* During a ramp clients come one after another, and those that have not begun miss nothing. In the window all
 * take part: who could not even begin to connect is late. */
static void ask(struct generator *generator, struct client *client, int64_t intended, int64_t now)
{
    bool begun = has_begun(generator, client);
    if (!begun && intended < generator->window) {
        client->skipped++;
        return;
    }
    note_intended(generator, intended, now);
    client->due++;
    generator->owed++;
    if (client->conn)
        exchange_send(client, now);
    else if (begun && generator->run->plan->churn)
        client_connect(client);
}

static void next_slot(struct generator *generator)
{
    if (++generator->turn < generator->client_count)
        return;
    generator->turn = 0;
    generator->round++;
}

/* When the next slot is due. */
static int64_t next_time(const struct generator *generator)
{
    const struct client *client = &generator->clients[generator->turn];
    return slot_time(generator->run, slot_of(client, generator->round));
}

void schedule_break_off(struct generator *generator, int64_t now)
{
    for (int64_t intended; (intended = next_time(generator)) <= now && intended < generator->end;) {
        note_intended(generator, intended, now);
        next_slot(generator);
    }
}

int64_t schedule_advance(struct generator *generator, int64_t now)
{
    for (int i = 0; i < MOST_SLOTS_AT_ONCE; i++) {
        struct client *client = &generator->clients[generator->turn];
        int64_t intended = next_time(generator);
        if (intended >= generator->end)
            return -1;
        if (intended > now)
            return intended - now;
        ask(generator, client, intended, now);
        next_slot(generator);
    }
    return 0;
}
