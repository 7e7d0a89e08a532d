/* io_uring with nothing above it: multishot accept, multishot receive into one shared buffer ring, direct
 * send. Connections with large messages are polled and received into one buffer: the kernel fills the ring
 * for all of them before the first is sent, so that every large message had left the cache (40 % dearer). */
#include "peer.h"

#include <liburing.h>
#include <poll.h>
#include <stdint.h>

/* Few, since they are used in turn. An empty ring only costs a new receive. */
enum { BUFFER_SIZE = 16 * 1024, BUFFERS = 32, GROUP = 1, ENTRIES = 1024, COMPLETIONS = 16384 };

/* The low bits of a completion's user data say which operation of the connection it ends. */
enum operation { ACCEPTED, RECEIVED, POLLED, SENT, CANCELLED, OPERATION_MASK = 7 };

struct connection {
    int fd;
    bool receiving, sending, over;
    bool large;            /* a message filled a buffer: it is polled from then on */
    struct peer_rest rest; /* in the kernel's hands while sending */
    struct peer_rest late; /* what a cancelled receive still delivered: the ring's buffers at most */
};

static struct io_uring ring;
static struct io_uring_buf_ring *buffer_ring;
static char *buffers;
static char large_buffer[PEER_BUFFER];

static struct io_uring_sqe *next_entry(void)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
    while (!entry) {
        io_uring_submit(&ring);
        entry = io_uring_get_sqe(&ring);
    }
    return entry;
}

static void label(struct io_uring_sqe *entry, struct connection *connection, enum operation operation)
{
    io_uring_sqe_set_data64(entry, (uintptr_t)connection | operation);
}

static void arm_accept(int listener)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_multishot_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
    label(entry, NULL, ACCEPTED);
}

static void arm_multishot(struct connection *connection)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_recv_multishot(entry, connection->fd, NULL, 0, 0);
    label(entry, connection, RECEIVED);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = GROUP;
}

static void arm_poll(struct connection *connection)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_poll_add(entry, connection->fd, POLLIN);
    label(entry, connection, POLLED);
}

static void arm_receive(struct connection *connection)
{
    if (connection->large)
        arm_poll(connection);
    else
        arm_multishot(connection);
    connection->receiving = true;
}

static void cancel_receive(struct connection *connection)
{
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_cancel64(entry, (uintptr_t)connection | RECEIVED, 0);
    label(entry, NULL, CANCELLED);
}

static void send_rest(struct connection *connection)
{
    struct peer_rest *rest = &connection->rest;
    struct io_uring_sqe *entry = next_entry();
    io_uring_prep_send(entry, connection->fd, rest->bytes + rest->sent, rest->size - rest->sent,
                       MSG_NOSIGNAL);
    label(entry, connection, SENT);
    connection->sending = true;
}

static void drop(struct peer_rest *rest)
{
    free(rest->bytes);
    *rest = (struct peer_rest){0};
}

/* A shut down socket ends the armed receive; a close alone would not. */
static void fail(struct connection *connection)
{
    connection->over = true;
    drop(&connection->late);
    shutdown(connection->fd, SHUT_RDWR);
}

/* The one place that frees: the kernel holds no operation of the connection any more. */
static void settle(struct connection *connection)
{
    if (connection->sending || connection->receiving)
        return;
    if (!connection->over) {
        arm_receive(connection);
        return;
    }
    close(connection->fd);
    drop(&connection->rest);
    drop(&connection->late);
    free(connection);
}

static bool append(struct peer_rest *rest, const char *bytes, size_t size)
{
    char *longer = realloc(rest->bytes, rest->size + size);
    if (!longer)
        return false;
    memcpy(longer + rest->size, bytes, size);
    *rest = (struct peer_rest){.bytes = longer, .size = rest->size + size};
    return true;
}

static bool echo(struct connection *connection, const char *bytes, size_t size)
{
    if (connection->rest.bytes)
        return append(&connection->late, bytes, size);
    ssize_t sent = send(connection->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && !peer_would_block())
        return false;
    sent = sent < 0 ? 0 : sent;
    if ((size_t)sent == size)
        return true;
    if (!peer_keep_rest(&connection->rest, bytes + sent, size - (size_t)sent))
        return false;
    send_rest(connection);
    cancel_receive(connection);
    return true;
}

static void return_buffer(unsigned number)
{
    io_uring_buf_ring_add(buffer_ring, buffers + (size_t)number * BUFFER_SIZE, BUFFER_SIZE,
                          (unsigned short)number, io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(buffer_ring, 1);
}

static void on_received(struct connection *connection, const struct io_uring_cqe *completion)
{
    int size = completion->res;
    if (!(completion->flags & IORING_CQE_F_MORE))
        connection->receiving = false;
    if (completion->flags & IORING_CQE_F_BUFFER) {
        unsigned number = completion->flags >> IORING_CQE_BUFFER_SHIFT;
        if (size > 0 && !connection->over &&
            !echo(connection, buffers + (size_t)number * BUFFER_SIZE, (size_t)size))
            fail(connection);
        return_buffer(number);
    }
    if (size == BUFFER_SIZE && !connection->large) {
        connection->large = true;
        cancel_receive(connection);
    }
    /* An empty ring and our own cancelling end the receive, not the connection. */
    if (size <= 0 && size != -ENOBUFS && size != -ECANCELED && size != -EINTR && size != -EAGAIN)
        connection->over = true;
    settle(connection);
}

static void on_polled(struct connection *connection)
{
    ssize_t size = recv(connection->fd, large_buffer, sizeof large_buffer, MSG_DONTWAIT);
    connection->receiving = false;
    if (size == 0 || (size < 0 && !peer_would_block()))
        connection->over = true;
    else if (size > 0 && !connection->over && !echo(connection, large_buffer, (size_t)size))
        fail(connection);
    settle(connection);
}

static void on_sent(struct connection *connection, int sent)
{
    struct peer_rest *rest = &connection->rest;
    connection->sending = false;
    if (sent > 0)
        rest->sent += (size_t)sent;
    else if (sent != -EAGAIN && sent != -EINTR)
        fail(connection);
    if (sent > 0 && rest->sent == rest->size) {
        drop(rest);
        *rest = connection->late;
        connection->late = (struct peer_rest){0};
    }
    if (rest->bytes && (sent > 0 || sent == -EAGAIN || sent == -EINTR))
        send_rest(connection);
    settle(connection);
}

static void on_accepted(int listener, const struct io_uring_cqe *completion)
{
    if (!(completion->flags & IORING_CQE_F_MORE))
        arm_accept(listener);
    if (completion->res < 0)
        return;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(completion->res);
        return;
    }
    connection->fd = completion->res;
    arm_receive(connection);
}

static void dispatch(int listener, const struct io_uring_cqe *completion)
{
    struct connection *connection =
        (struct connection *)(uintptr_t)(completion->user_data & ~(uint64_t)OPERATION_MASK);
    switch ((enum operation)(completion->user_data & OPERATION_MASK)) {
    case ACCEPTED: on_accepted(listener, completion); break;
    case RECEIVED: on_received(connection, completion); break;
    case POLLED: on_polled(connection); break;
    case SENT: on_sent(connection, completion->res); break;
    default: break;
    }
}

static void open_ring(void)
{
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    if (io_uring_queue_init_params(ENTRIES, &ring, &parameters) < 0)
        exit(1);
    io_uring_register_ring_fd(&ring);
}

static void open_buffers(void)
{
    struct io_uring_buf_reg registration = {.ring_entries = BUFFERS, .bgid = GROUP};
    if (posix_memalign((void **)&buffer_ring, 4096, BUFFERS * sizeof(struct io_uring_buf)) != 0 ||
        posix_memalign((void **)&buffers, 4096, (size_t)BUFFERS * BUFFER_SIZE) != 0)
        exit(1);
    io_uring_buf_ring_init(buffer_ring);
    registration.ring_addr = (uintptr_t)buffer_ring;
    if (io_uring_register_buf_ring(&ring, &registration, 0) < 0)
        exit(1);
    for (unsigned number = 0; number < BUFFERS; number++)
        return_buffer(number);
}

int main(int argc, char **argv)
{
    int listener = peer_listen(peer_port(argc, argv), 0);
    open_ring();
    open_buffers();
    arm_accept(listener);
    for (;;) {
        struct io_uring_cqe *completion;
        unsigned head, count = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, completion)
        {
            dispatch(listener, completion);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
