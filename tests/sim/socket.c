/* The kernel's side of a connection: two buffers, two ends, and errors that are told once. */
#include "sim.h"
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct link *link_of_fd(int fd)
{
    for (unsigned i = 0; i < world.plan.links; i++)
        if (world.links[i].stage == OPEN && world.links[i].fd == fd)
            return &world.links[i];
    return NULL;
}

static struct link *socket_of(int fd)
{
    struct link *link = link_of_fd(fd);
    MUST(link, NULL, "a call on descriptor %d, which is not open", fd);
    return link;
}

static int fails(int error)
{
    errno = error;
    return -1;
}

/* An error of the machine, now and then. */
static bool faults(void)
{
    return world.plan.faults > 0 && below(10000) < world.plan.faults;
}

/* ---- receiving ---- */

bool socket_has_input(const struct link *link)
{
    return link->written > link->taken || link->fin || link->error || link->reset;
}

static int told_error(struct link *link)
{
    int error = link->error;
    link->error = 0;
    link->reset_told = true;
    return fails(error);
}

ssize_t socket_take(struct link *link, void *bytes, size_t size)
{
    size_t left = link->written - link->taken;
    if (left == 0 && link->error)
        return told_error(link);
    if (left == 0 && (link->fin || link->reset)) {
        link->fin_taken = true;
        return 0;
    }
    if (left == 0)
        return fails(EAGAIN);
    if (faults()) {
        link->faulted = true;
        return fails(chance(50) ? EIO : ETIMEDOUT);
    }
    size = left < size ? left : size;
    if (size > 1 && chance(world.plan.hiccups))
        size = 1 + below((unsigned)size);
    memcpy(bytes, link->said.at + link->taken, size);
    link->taken += size;
    return (ssize_t)size;
}

static ssize_t sim_recv(int fd, void *bytes, size_t size, int flags)
{
    struct link *link = socket_of(fd);
    (void)flags;
    const parley_conn *conn = link->conn;
    if (!conn) /* it is being turned away */
        return socket_take(link, bytes, size);
    MUST(conn_wants_input(conn), link, "recv while reading is held back");
    if (chance(world.plan.hiccups))
        return fails(EINTR);
    /* A short read that is not the last would hide the rest from an edge-triggered poller: Linux has it only
     * at urgent bytes, so only level-triggered ones get it. */
    unsigned hiccups = world.plan.hiccups;
    if (world.plan.poller == &poller_epoll)
        world.plan.hiccups = 0;
    ssize_t taken = socket_take(link, bytes, size);
    world.plan.hiccups = hiccups;
    note(link, "recv %zd of %zu", taken, size);
    if (taken >= 0)
        witness_received(link);
    return taken;
}

/* ---- sending ---- */

size_t socket_space(const struct link *link)
{
    size_t used = link->accepted - link->acked;
    return world.now < link->full_until || used >= link->room ? 0 : link->room - used;
}

size_t socket_unacknowledged(const struct link *link)
{
    return link->accepted - link->acked + (link->shut && !(link->gone && link->acked == link->accepted));
}

/* What goes out must be what the handler gave, byte for byte. */
static void check_owed(const struct link *link, const void *bytes, size_t size)
{
    MUST(link->accepted + size <= link->owed.size, link, "%zu bytes sent beyond the %zu owed",
         link->accepted + size - link->owed.size, link->owed.size);
    MUST(size == 0 || memcmp(link->owed.at + link->accepted, bytes, size) == 0, link,
         "wrong bytes sent: %zu from offset %zu on", size, link->accepted);
}

static int send_error(struct link *link)
{
    if (link->reset || link->error)
        return link->error ? told_error(link) : fails(EPIPE);
    if (link->shut)
        return fails(EPIPE);
    if (faults()) {
        link->faulted = true;
        return fails(chance(50) ? EIO : ETIMEDOUT);
    }
    return 0;
}

ssize_t socket_give(struct link *link, const struct iovec *vectors, size_t count)
{
    size_t given = 0, space = socket_space(link);
    if (send_error(link) < 0)
        return -1;
    if (space > 1 && chance(world.plan.hiccups))
        space = 1 + below((unsigned)space);
    for (size_t i = 0; i < count && space > 0; i++) {
        size_t part = vectors[i].iov_len < space ? vectors[i].iov_len : space;
        check_owed(link, vectors[i].iov_base, part);
        link->accepted += part;
        given += part;
        space -= part;
    }
    return given > 0 ? (ssize_t)given : fails(EAGAIN);
}

/* The kernel puts it off: it says when there is room again. */
static bool puts_off(struct link *link)
{
    if (!chance(world.plan.hiccups))
        return false;
    link->full_until = world.now + 1 + below(20);
    return true;
}

/* ... or has no memory for it, perhaps for long: nothing will tell when that is over. */
static bool starves(struct link *link)
{
    if (world.plan.faults > 0 && world.now >= link->starved_until && below(200) == 0)
        link->starved_until = world.now + 1 + below(chance(80) ? 50 : 20000);
    return world.now < link->starved_until;
}

static ssize_t sim_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct link *link = socket_of(fd);
    MUST(flags & MSG_NOSIGNAL, link, "send without MSG_NOSIGNAL");
    if (!link->conn && link->id == 0) /* it is told that it is turned away */
        bytes_append(&link->owed, message->msg_iov->iov_base, message->msg_iov->iov_len);
    if (chance(world.plan.hiccups))
        return fails(EINTR);
    if (starves(link))
        return fails(chance(50) ? ENOBUFS : ENOMEM);
    ssize_t given = puts_off(link) ? fails(EAGAIN) : socket_give(link, message->msg_iov, message->msg_iovlen);
    if (socket_space(link) == 0)
        link->no_space = true;
    note(link, "send %zd", given);
    if (given > 0)
        witness_sent(link);
    return given;
}

static ssize_t sim_send(int fd, const void *bytes, size_t size, int flags)
{
    struct iovec vector = {(void *)bytes, size};
    const struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return sim_sendmsg(fd, &message, flags);
}

/* ---- ending ---- */

static int sim_shutdown(int fd, int how)
{
    struct link *link = socket_of(fd);
    note(link, "shutdown %d", how);
    if (link->reset)
        return fails(ENOTCONN);
    link->shut = true;
    return 0;
}

/* Closing with unread input resets, and a reset destroys what has not reached the peer. */
static void close_link(struct link *link)
{
    bool resets = link->written > link->taken || link->resets_on_close;
    if (resets || link->reset)
        link->destroyed = link->acked < link->accepted;
    note(link, "close%s", resets ? " with a reset" : "");
    link->stage = CLOSED;
    link->registered = 0;
}

static int sim_close(int fd)
{
    if (fd < FIRST_FD || fd == world.listener_fd)
        return close(fd);
    close_link(socket_of(fd));
    return 0;
}

static int sim_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    (void)length;
    const struct linger *linger = value;
    if (level == SOL_SOCKET && name == SO_LINGER)
        socket_of(fd)->resets_on_close = linger->l_onoff && linger->l_linger == 0;
    return 0;
}

static int sim_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    struct link *link = socket_of(fd);
    (void)length;
    if (level == SOL_SOCKET && name == SO_ERROR) {
        *(int *)value = link->error;
        link->error = 0;
    }
    return 0;
}

/* These two the engine asks past its table: the linker brings them here. */
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    int *value = va_arg(arguments, int *);
    va_end(arguments);
    const struct link *link = socket_of(fd);
    MUST(request == SIOCOUTQ || request == SIOCINQ, NULL, "an ioctl that is not simulated");
    *value = (int)(request == SIOCOUTQ ? socket_unacknowledged(link) : link->written - link->taken);
    return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    struct tcp_info info = {0};
    MUST(level == IPPROTO_TCP && name == TCP_INFO, NULL, "a getsockopt that is not simulated");
    info.tcpi_bytes_acked = socket_of(fd)->acked;
    memcpy(value, &info, *length < sizeof info ? *length : sizeof info);
    return 0;
}

/* ---- accepting ---- */

struct link *first_in_backlog(void)
{
    for (unsigned i = 0; i < world.plan.links; i++)
        if (world.links[i].stage == QUEUED)
            return &world.links[i];
    return NULL;
}

/* The lowest that is free, as the kernel does: a number comes back at once. */
static int free_fd(void)
{
    int fd = FIRST_FD;
    while (link_of_fd(fd))
        fd++;
    return fd;
}

int socket_accept(struct sockaddr *address, socklen_t *length)
{
    static const int failures[] = {ECONNABORTED, EMFILE, ENFILE, ENOBUFS, EPERM, EPROTO};
    struct link *link = first_in_backlog();
    if (!link)
        return fails(EAGAIN);
    if (chance(world.plan.hiccups / 4))
        return fails(chance(50) ? EINTR : EAGAIN);
    if (faults() || (world.plan.faults && chance(2)))
        return fails(failures[below(sizeof failures / sizeof *failures)]);
    link->fd = free_fd();
    link->stage = OPEN;
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(40000 + link->number))};
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(address, &peer, sizeof peer);
    *length = sizeof peer;
    note(link, "accepted as %d", link->fd);
    return link->fd;
}

static int sim_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    (void)flags;
    MUST(fd == world.listener_fd, NULL, "accept on descriptor %d", fd);
    return socket_accept(address, length);
}

void sockets_install(void)
{
    sys.recv = sim_recv;
    sys.send = sim_send;
    sys.sendmsg = sim_sendmsg;
    sys.shutdown = sim_shutdown;
    sys.close = sim_close;
    sys.setsockopt = sim_setsockopt;
    sys.getsockopt = sim_getsockopt;
    sys.accept4 = sim_accept4;
}
