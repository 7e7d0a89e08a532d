/* The sixth poller: as io_uring, with a kernel that completes late, in any order, and after it was asked to
 * stop. A send holds the queue's own bytes until it is done. */
#include "base/error.h"
#include "engine/accepting.h"
#include "poller/ready.h"
#include "sim.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS = LINKS * 3 + 8, PENDING = 4, PIECE = 16 << 10, VECTORS = 8, MOST_ACCEPTS = 4 };

struct completion {
    int64_t seen_at;
    ssize_t result; /* or a negative errno value */
    bool more;
    unsigned char *bytes;
};

struct operation {
    enum { UNUSED, RECEIVE, SEND, ACCEPT } kind;
    bool cancelled, over, multishot;
    int64_t due;
    parley_conn *conn;
    struct link *link;
    struct iovec vectors[VECTORS];
    size_t vector_count;
    struct completion pending[PENDING];
    unsigned pending_count;
    struct sockaddr_storage peer;
};

static struct operation operations[OPERATIONS];
static struct listener *the_listener;
static struct watch *the_watch;

static unsigned some_delay(void)
{
    return chance(60) ? 0 : below(15);
}

static void operation_free(struct operation *operation)
{
    for (unsigned i = 0; i < operation->pending_count; i++)
        free(operation->pending[i].bytes);
    *operation = (struct operation){.kind = UNUSED};
}

void operations_reset(void)
{
    for (int i = 0; i < OPERATIONS; i++)
        operation_free(&operations[i]);
    the_listener = NULL;
    the_watch = NULL;
}

/* ---- the kernel's side ---- */

static void complete(struct operation *operation, ssize_t result, bool more, unsigned char *bytes)
{
    int64_t after = world.now;
    if (operation->pending_count > 0)
        after = operation->pending[operation->pending_count - 1].seen_at;
    operation->pending[operation->pending_count++] =
        (struct completion){after + some_delay(), result, more, bytes};
    operation->over = !more;
    operation->due = world.now + some_delay();
    note(operation->link, "operation %d completes: %zd%s", operation->kind, result, more ? ", more" : "");
}

static void receive(struct operation *operation)
{
    unsigned char *bytes = malloc(PIECE);
    ssize_t size = socket_take(operation->link, bytes, 1 + below(PIECE));
    if (size > 0) {
        complete(operation, size, operation->multishot && operation->pending_count < PENDING - 2, bytes);
        return;
    }
    int error = errno;
    free(bytes);
    if (size == 0)
        complete(operation, 0, false, NULL);
    else if (error != EAGAIN)
        complete(operation, -error, false, NULL);
}

static void send_some(struct operation *operation)
{
    ssize_t given = socket_give(operation->link, operation->vectors, operation->vector_count);
    complete(operation, given < 0 ? -errno : given, false, NULL);
}

static void accept_one(struct operation *operation)
{
    socklen_t length = sizeof operation->peer;
    int fd = socket_accept((struct sockaddr *)&operation->peer, &length);
    complete(operation, fd < 0 ? -errno : fd, false, NULL);
}

static bool can_happen(const struct operation *operation)
{
    const struct link *link = operation->link;
    if (operation->kind == UNUSED || operation->over)
        return false;
    if (operation->cancelled)
        return true;
    switch (operation->kind) {
    case RECEIVE: return operation->pending_count < PENDING - 1 && socket_has_input(link);
    case SEND: return socket_space(link) > 0 || link->reset || link->error;
    default: return first_in_backlog() != NULL;
    }
}

static void happen(struct operation *operation)
{
    /* A cancel comes too late as often as not. */
    bool too_late = !operation->cancelled || !chance(60);
    if (too_late && operation->kind == RECEIVE && socket_has_input(operation->link))
        receive(operation);
    else if (too_late && operation->kind == SEND &&
             (socket_space(operation->link) > 0 || operation->link->reset))
        send_some(operation);
    else if (too_late && operation->kind == ACCEPT && first_in_backlog())
        accept_one(operation);
    else if (operation->cancelled)
        complete(operation, -ECANCELED, false, NULL);
}

void operations_happen(void)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (can_happen(&operations[i]) && operations[i].due <= world.now)
            happen(&operations[i]);
}

int64_t operations_next(void)
{
    int64_t next = NEVER;
    for (int i = 0; i < OPERATIONS; i++) {
        if (can_happen(&operations[i]))
            next = earlier_of(next, operations[i].due > world.now ? operations[i].due : world.now);
        if (operations[i].pending_count > 0)
            next = earlier_of(next, operations[i].pending[0].seen_at);
    }
    return next;
}

bool operations_pending(const parley_conn *conn)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (operations[i].kind != UNUSED && operations[i].conn == conn)
            return true;
    return false;
}

/* ---- the verbs ---- */

static struct operation *find(const parley_conn *conn, int kind)
{
    for (int i = 0; i < OPERATIONS; i++)
        if ((int)operations[i].kind == kind && operations[i].conn == conn)
            return &operations[i];
    return NULL;
}

static struct operation *start(int kind, parley_conn *conn)
{
    struct operation *operation = find(NULL, UNUSED);
    MUST(operation, NULL, "too many operations at once");
    operation->kind = kind;
    operation->conn = conn;
    operation->link = conn ? link_of_fd(conn->fd) : NULL;
    operation->multishot = chance(50);
    operation->due = world.now + some_delay();
    if (conn)
        conn->held++;
    return operation;
}

static void cancel(struct operation *operation)
{
    if (!operation || operation->cancelled)
        return;
    operation->cancelled = true;
    operation->due = world.now + some_delay();
}

static int open_sim(struct loop *loop)
{
    loop->poller_state = sys.malloc(1);
    return loop->poller_state ? 0 : fail(PARLEY_RESOURCE, "no memory for the simulation");
}

/* Whom nobody waits for any more, its descriptor is closed. */
static void close_sim(struct loop *loop)
{
    for (int i = 0; i < OPERATIONS; i++) {
        struct operation *operation = &operations[i];
        MUST(operation->kind == UNUSED || operation->kind == ACCEPT, operation->link, "closed while held");
        if (operation->pending_count > 0 && operation->pending[0].result >= 0)
            sys.close((int)operation->pending[0].result);
    }
    operations_reset();
    sys.free(loop->poller_state);
    loop->poller_state = NULL;
}

static void listen_sim(struct loop *loop, struct listener *listener)
{
    unsigned most = loop->limit || loop->bounded ? 1 : MOST_ACCEPTS;
    the_listener = listener;
    for (int i = 0; i < OPERATIONS && !listener->wanted; i++)
        if (operations[i].kind == ACCEPT)
            cancel(&operations[i]);
    for (; listener->wanted && listener->polled < most; listener->polled++)
        start(ACCEPT, NULL);
}

static void watch_sim(struct loop *loop, struct watch *watch)
{
    (void)loop;
    the_watch = watch->wanted ? watch : NULL;
    watch->polled = watch->wanted;
}

static void start_sending(parley_conn *conn)
{
    if (chance(50))
        ready_send(conn); /* at once, as far as it goes */
    if (!conn_has_output(conn))
        return;
    conn->blocked = conn->starved = false;
    struct operation *operation = start(SEND, conn);
    operation->vector_count = queue_vectors(&conn->queue, operation->vectors, VECTORS);
}

static void update_sim(struct loop *loop, parley_conn *conn)
{
    (void)loop;
    struct operation *receiving = find(conn, RECEIVE);
    if (conn->dead) {
        cancel(receiving);
        cancel(find(conn, SEND));
        return;
    }
    if (conn_has_output(conn) && !find(conn, SEND))
        start_sending(conn);
    if (!conn_wants_input(conn))
        cancel(receiving);
    else if (!receiving)
        start(RECEIVE, conn);
}

/* ---- reporting ---- */

static bool sim_is_ready(void)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (operations[i].pending_count > 0 && operations[i].pending[0].seen_at <= world.now)
            return true;
    return the_watch && mailbox_has_letters();
}

static int sleep_sim(struct loop *loop, int64_t timeout)
{
    (void)loop;
    world_sleep(timeout < 0 ? -1 : timeout / 1000000, sim_is_ready);
    return sim_is_ready();
}

static void report_received(parley_conn *conn, struct link *link, const struct completion *completion)
{
    MUST(conn, link, "a receive completed for nobody");
    if (!conn_wants_input(conn))
        loop_touch(conn->loop, conn);
    if (completion->result > 0) {
        witness_received(link);
        conn_received(conn, completion->bytes, (size_t)completion->result);
    } else if (completion->result == 0 && !conn_wire_has_ended(conn)) {
        witness_received(link);
        conn_ended(conn);
    } else if (completion->result < 0 && completion->result != -ECANCELED) {
        conn_failed(conn, "recv", (int)-completion->result);
    }
}

static void report_sent(parley_conn *conn, struct link *link, const struct completion *completion)
{
    if (completion->result > 0) {
        witness_sent(link);
        conn_sent(conn, (size_t)completion->result);
    } else if (completion->result != -ECANCELED && completion->result != -EAGAIN) {
        conn_failed(conn, "send", (int)-completion->result);
    }
}

static void report_accept(struct loop *loop, struct sockaddr_storage peer, ssize_t result)
{
    the_listener->polled--;
    if (result >= 0)
        loop_accepted(loop, the_listener, (int)result, (struct sockaddr *)&peer);
    else if (result != -EAGAIN && result != -EINTR && result != -ECANCELED)
        loop_accept_failed(loop, the_listener, (int)-result);
    /* The last accept of a drain lets the listeners go. */
    if (loop->listener_count > 0 && the_listener->wanted)
        listen_sim(loop, the_listener);
}

static void report_one(struct loop *loop, struct operation *operation)
{
    struct completion completion = operation->pending[0];
    struct operation subject = *operation;
    operation->pending_count--;
    memmove(operation->pending, operation->pending + 1, operation->pending_count * sizeof completion);
    if (!completion.more)
        *operation = (struct operation){.kind = UNUSED};
    if (!completion.more && subject.conn) {
        subject.conn->held--;
        loop_touch(loop, subject.conn);
    }
    if (subject.kind == RECEIVE)
        report_received(subject.conn, subject.link, &completion);
    else if (subject.kind == SEND)
        report_sent(subject.conn, subject.link, &completion);
    else
        report_accept(loop, subject.peer, completion.result);
    free(completion.bytes);
}

static void report_sim(struct loop *loop, int count)
{
    unsigned first = below(OPERATIONS);
    (void)count;
    if (the_watch && mailbox_has_letters())
        the_watch->readable(loop, the_watch);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        struct operation *operation = &operations[(first + i) % OPERATIONS];
        while (operation->pending_count > 0 && operation->pending[0].seen_at <= world.now)
            report_one(loop, operation);
    }
}

const struct poller poller_sim = {.name = "sim",
                                  .open = open_sim,
                                  .close = close_sim,
                                  .listen = listen_sim,
                                  .watch = watch_sim,
                                  .update = update_sim,
                                  .sleep = sleep_sim,
                                  .report = report_sim};
