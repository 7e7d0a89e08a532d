#include "compare/hold.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "witness/witness.h"

enum {
    PATIENCE = 5, /* s for a reply */
    PIECE = 65536,
    LOOKS = 100, /* that its processes have come to rest */
    PAUSE = 10,  /* ms between two */
    MANY = 5000  /* beside them what a process had allocated and freed before counts little */
};

struct holding {
    const struct instance *instance;
    const struct compare_plan *plan;
    char *message; /* plan->size of it */
    int *sockets;
    unsigned count; /* held */
};

static int dial(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE};
    int dialled = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (dialled < 0)
        return -1;
    setsockopt(dialled, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(dialled, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(dialled, (const struct sockaddr *)&address, sizeof address) == 0)
        return dialled;
    close(dialled);
    return -1;
}

/* Both directions a piece at a time, so that neither side waits for the other to read. */
static bool converse(int connection, const char *message, size_t size)
{
    char reply[PIECE];
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE ? size - done : PIECE;
        if (send(connection, message + done, piece, MSG_NOSIGNAL) != (ssize_t)piece)
            return false;
        for (size_t came = 0; came < piece;) {
            ssize_t got = recv(connection, reply, piece - came, 0);
            if (got <= 0)
                return false;
            came += (size_t)got;
        }
        done += piece;
    }
    return true;
}

/* A connection that has had its exchange and stays; whether it could be had. */
static bool hold_one(struct holding *holding)
{
    int connection = dial(holding->instance->port);
    if (connection < 0)
        return false;
    if (converse(connection, holding->message, holding->plan->size)) {
        holding->sockets[holding->count++] = connection;
        return true;
    }
    close(connection);
    return false;
}

static void let_go(struct holding *holding)
{
    while (holding->count > 0)
        close(holding->sockets[--holding->count]);
}

/* Looks until nothing of the client before is left, for a second at most. */
static bool look_at_rest(const struct witness *witness, struct witness_reading *reading)
{
    struct timespec pause = {.tv_nsec = PAUSE * 1000000L};
    struct witness_reading before;
    bool seen = witness_read(witness, reading) == 0, same = false;
    for (int looks = 0; seen && !same && looks < LOOKS; looks++) {
        before = *reading;
        nanosleep(&pause, NULL);
        seen = witness_read(witness, reading) == 0;
        same = reading->processes == before.processes && reading->threads == before.threads &&
               reading->time <= before.time;
    }
    return seen && witness_read_closely(witness, reading) == 0;
}

static double bytes(const struct witness_reading *reading)
{
    return reading->memory < 0 ? NAN : (double)reading->memory;
}

/* False: that many could not be had, or not be looked at. */
static bool look_at_held(struct memory *memory, struct holding *holding, const struct witness *witness,
                         unsigned connections)
{
    struct witness_reading reading;
    while (holding->count < connections && hold_one(holding))
        ;
    if (holding->count < connections || !look_at_rest(witness, &reading))
        return false;
    memory->held = connections;
    memory->per_connection = (bytes(&reading) - memory->idle) / connections;
    memory->processes = reading.processes;
    memory->threads = reading.threads;
    return true;
}

/* A server of few processes and threads keeps so little for each connection that it takes many to tell. */
static void look_at_many(struct memory *memory, struct holding *holding, const struct witness *witness,
                         unsigned connections, const struct witness_reading *idle)
{
    bool is_shared = memory->processes == idle->processes && memory->threads == idle->threads;
    if (is_shared && connections > 1 && connections < MANY)
        look_at_held(memory, holding, witness, MANY);
}

static bool open_holding(struct holding *holding, unsigned connections)
{
    holding->message = malloc(holding->plan->size + 1);
    holding->sockets = calloc((connections < MANY ? MANY : connections) + 1, sizeof *holding->sockets);
    if (!holding->message || !holding->sockets)
        return false;
    memset(holding->message, 'm', holding->plan->size);
    if (holding->plan->size > 0)
        holding->message[holding->plan->size - 1] = '\n';
    return true;
}

static void look(struct memory *memory, struct holding *holding, const struct witness *witness,
                 unsigned connections)
{
    const struct exchange *exchange = holding->plan->exchange;
    struct witness_reading reading;
    bool answers = exchange->reply == REPLY_BYTES && !exchange->once;
    if (answers)
        hold_one(holding);
    let_go(holding);
    if (!look_at_rest(witness, &reading))
        return;
    memory->idle = bytes(&reading);
    memory->processes = reading.processes;
    memory->threads = reading.threads;
    if (answers && look_at_held(memory, holding, witness, connections))
        look_at_many(memory, holding, witness, connections, &reading);
}

void hold_and_look(struct memory *memory, const struct instance *instance, const struct compare_plan *plan,
                   unsigned connections)
{
    struct holding holding = {.instance = instance, .plan = plan};
    struct witness witness;
    *memory = (struct memory){.idle = NAN, .per_connection = NAN};
    if (witness_of_pid(&witness, instance->child.pid) == 0 && open_holding(&holding, connections))
        look(memory, &holding, &witness, connections);
    let_go(&holding);
    witness_close(&witness);
    free(holding.message);
    free(holding.sockets);
}
