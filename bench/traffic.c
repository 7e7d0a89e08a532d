#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 256 * 1024, BATCH = 512, FIRST_EXCHANGE = 16 * 1024, SOURCES = 200 };

static const uint64_t second = 1000000000u;
static const uint64_t drain_limit = 5 * second;

uint64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * second + (uint64_t)now.tv_nsec;
}

/* A closed port waits a minute before its pair of addresses can be used again: all of 127/8 is loopback,
 * so that taking source addresses in turn leaves millions of pairs. */
static void bind_source(int fd)
{
    static unsigned turn;
    const int on = 1;
    struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn++ % SOURCES),
    };
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    bind(fd, (struct sockaddr *)&source, sizeof source);
}

static int open_socket(int type_flags)
{
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    bind_source(fd);
    return fd;
}

static bool watch(struct traffic *traffic, struct connection *connection)
{
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = connection}};
    return epoll_ctl(traffic->epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

/* A connection that fails leaves the run; whatever it owed is an error. */
static void fail(struct traffic *traffic, struct connection *connection)
{
    traffic->errors++;
    traffic->in_flight -= connection->in_flight;
    connection->in_flight = 0;
    connection->unsent = 0;
    close(connection->fd);
    connection->fd = -1;
}

static void flush(struct traffic *traffic, struct connection *connection)
{
    while (connection->unsent > 0) {
        const char *bytes = traffic->pattern + connection->sent_offset;
        ssize_t sent = send(connection->fd, bytes, connection->unsent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fail(traffic, connection);
            return;
        }
        traffic->bytes_out += (size_t)sent;
        connection->unsent -= (size_t)sent;
        connection->sent_offset = (connection->sent_offset + (size_t)sent) % traffic->size;
    }
}

static void start_messages(struct traffic *traffic, struct connection *connection, unsigned count,
                           uint64_t now)
{
    for (unsigned i = 0; i < count; i++)
        connection->started[(connection->oldest + connection->in_flight++) % traffic->depth] = now;
    traffic->in_flight += count;
    connection->unsent += count * traffic->size;
    flush(traffic, connection);
}

static bool matches_pattern(const struct traffic *traffic, size_t offset, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t part = traffic->size - offset < size ? traffic->size - offset : size;
        if (memcmp(traffic->pattern + offset, bytes, part) != 0)
            return false;
        bytes += part;
        size -= part;
        offset = 0;
    }
    return true;
}

/* Takes the answered messages out of flight and says how many they were. */
static unsigned count_answers(struct traffic *traffic, struct connection *connection, size_t size,
                              uint64_t now)
{
    unsigned answered = (unsigned)((connection->received + size) / traffic->size);
    connection->received = (connection->received + size) % traffic->size;
    for (unsigned i = 0; i < answered; i++) {
        histogram_add(&traffic->latencies, now - connection->started[connection->oldest]);
        connection->oldest = (connection->oldest + 1) % traffic->depth;
    }
    connection->in_flight -= answered;
    traffic->in_flight -= answered;
    traffic->messages += answered;
    return answered;
}

static bool accepts_bytes(const struct traffic *traffic, const struct connection *connection, size_t size)
{
    size_t owed = connection->in_flight * traffic->size - connection->received;
    return size <= owed &&
           (!traffic->verifying || matches_pattern(traffic, connection->received, traffic->buffer, size));
}

static void open_churning(struct traffic *traffic, struct connection *connection)
{
    uint64_t now = clock_now();
    connection->fd = open_socket(SOCK_NONBLOCK);
    if (connection->fd < 0) {
        traffic->errors++;
        return;
    }
    connection->sent_offset = connection->received = 0;
    int status = connect(connection->fd, (struct sockaddr *)&traffic->server, sizeof traffic->server);
    if ((status < 0 && errno != EINPROGRESS) || !watch(traffic, connection)) {
        fail(traffic, connection);
        return;
    }
    start_messages(traffic, connection, 1, now);
}

static void follow_up(struct traffic *traffic, struct connection *connection, unsigned answered, uint64_t now)
{
    if (traffic->mode == TRAFFIC_CHURN) {
        close(connection->fd);
        connection->fd = -1;
        if (traffic->running)
            open_churning(traffic, connection);
    } else if (traffic->running) {
        start_messages(traffic, connection, answered, now);
    }
}

static void receive(struct traffic *traffic, struct connection *connection)
{
    ssize_t size = BUFFER_SIZE;
    while (size == BUFFER_SIZE && connection->fd >= 0) {
        size = recv(connection->fd, traffic->buffer, BUFFER_SIZE, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0 || !accepts_bytes(traffic, connection, (size_t)size)) {
            fail(traffic, connection);
            return;
        }
        uint64_t now = clock_now();
        traffic->bytes_back += (size_t)size;
        unsigned answered = count_answers(traffic, connection, (size_t)size, now);
        if (answered > 0)
            follow_up(traffic, connection, answered, now);
    }
}

static void serve_event(struct traffic *traffic, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (connection->fd >= 0 && connection->unsent > 0)
        flush(traffic, connection);
    if (connection->fd >= 0 && event->events & ~(unsigned)EPOLLOUT)
        receive(traffic, connection);
}

static void turn_until(struct traffic *traffic, uint64_t deadline)
{
    struct epoll_event events[BATCH];
    for (uint64_t now = clock_now(); traffic->in_flight > 0 && now < deadline; now = clock_now()) {
        int timeout_ms = (int)((deadline - now) / 1000000) + 1;
        int count = epoll_wait(traffic->epoll, events, BATCH, timeout_ms);
        for (int i = 0; i < count; i++)
            serve_event(traffic, &events[i]);
    }
}

static void start_all(struct traffic *traffic)
{
    uint64_t now = clock_now();
    for (unsigned i = 0; i < traffic->count; i++) {
        struct connection *connection = &traffic->connections[i];
        if (traffic->mode == TRAFFIC_CHURN)
            open_churning(traffic, connection);
        else if (connection->fd >= 0)
            start_messages(traffic, connection, traffic->depth, now);
    }
}

void traffic_run(struct traffic *traffic, double seconds)
{
    uint64_t deadline = clock_now() + (uint64_t)(seconds * (double)second);
    traffic->running = true;
    start_all(traffic);
    turn_until(traffic, deadline);
    traffic->running = false;
    turn_until(traffic, clock_now() + drain_limit);
    traffic->errors += traffic->in_flight;
    if (traffic->bytes_out != traffic->bytes_back)
        traffic->errors++;
}

void traffic_reset(struct traffic *traffic)
{
    traffic->messages = traffic->bytes_out = traffic->bytes_back = 0;
    memset(&traffic->latencies, 0, sizeof traffic->latencies);
}

/* The start of a message is enough here; the warm-up compares every byte. */
static bool exchange_first(struct traffic *traffic, int fd)
{
    size_t size = traffic->size < FIRST_EXCHANGE ? traffic->size : FIRST_EXCHANGE;
    return send(fd, traffic->pattern, size, MSG_NOSIGNAL) == (ssize_t)size &&
           recv(fd, traffic->buffer, size, MSG_WAITALL) == (ssize_t)size &&
           memcmp(traffic->pattern, traffic->buffer, size) == 0;
}

static bool open_lasting(struct traffic *traffic, struct connection *connection)
{
    const struct timeval patience = {.tv_sec = 5};
    int fd = connection->fd = open_socket(0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return connect(fd, (struct sockaddr *)&traffic->server, sizeof traffic->server) == 0 &&
           exchange_first(traffic, fd) && watch(traffic, connection);
}

static bool allocate(struct traffic *traffic)
{
    size_t run = (traffic->depth + 1) * traffic->size;
    uint64_t *started = calloc((size_t)traffic->count * traffic->depth, sizeof *started);
    traffic->connections = calloc(traffic->count, sizeof *traffic->connections);
    traffic->pattern = malloc(run);
    traffic->buffer = malloc(BUFFER_SIZE);
    if (!started || !traffic->connections || !traffic->pattern || !traffic->buffer)
        return false;
    for (size_t i = 0; i < run; i++)
        traffic->pattern[i] = (char)('!' + (i % traffic->size) * 7 % 93 + (i % traffic->size) / 4096 % 2);
    for (unsigned i = 0; i < traffic->count; i++)
        traffic->connections[i] =
            (struct connection){.fd = -1, .started = started + (size_t)i * traffic->depth};
    return true;
}

bool traffic_open(struct traffic *traffic)
{
    traffic->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (traffic->epoll < 0 || !allocate(traffic))
        return false;
    for (unsigned i = 0; traffic->mode != TRAFFIC_CHURN && i < traffic->count; i++)
        if (!open_lasting(traffic, &traffic->connections[i]))
            return false;
    return true;
}
