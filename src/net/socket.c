#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"

enum { KEEPALIVE_PROBES = 3, BACKLOG_UNKNOWN = 4096 };

static int set_option(int fd, int level, int name, int value)
{
    return sys.setsockopt(fd, level, name, &value, sizeof value);
}

bool socket_met_itself(int fd, const struct sockaddr *peer, socklen_t length)
{
    struct sockaddr_storage own = {0};
    struct linger reset = {.l_onoff = 1};
    socklen_t own_length = sizeof own;
    if (peer->sa_family == AF_UNIX || getsockname(fd, (struct sockaddr *)&own, &own_length) < 0 ||
        own_length != length || memcmp(&own, peer, length) != 0)
        return false;
    sys.setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return true;
}

int socket_set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -1;
    return fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* ---- options -------------------------------------------------------------------------------- */

static int set_buffers(int fd, const struct socket_options *options)
{
    if (options->receive_buffer > 0 && set_option(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer) != 0)
        return -1;
    if (options->send_buffer > 0 && set_option(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer) != 0)
        return -1;
    return 0;
}

/* Probes are only sent on a silent connection; with data under way it is TCP_USER_TIMEOUT that gives a
 * vanished peer up, after the same time. */
static int set_keepalive(int fd, int seconds)
{
    int interval = seconds / 3 > 0 ? seconds / 3 : 1;

    if (set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) != 0 ||
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds) != 0 ||
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval) != 0 ||
        set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES) != 0)
        return -1;
    return set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (seconds + KEEPALIVE_PROBES * interval) * 1000);
}

int socket_tune(int fd, int family, const struct socket_options *options)
{
    if (set_buffers(fd, options) != 0)
        return -1;
    if (family != AF_INET && family != AF_INET6)
        return 0;
    if (options->nodelay && set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) != 0)
        return -1;
    return options->keepalive > 0 ? set_keepalive(fd, options->keepalive) : 0;
}

/* ---- listening ------------------------------------------------------------------------------ */

static int system_backlog(void)
{
    char text[16] = "";
    int fd = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
    long backlog;

    if (fd < 0)
        return BACKLOG_UNKNOWN;
    backlog = read(fd, text, sizeof text - 1) > 0 ? strtol(text, NULL, 10) : 0;
    sys.close(fd);
    return backlog > 0 && backlog <= INT_MAX ? (int)backlog : BACKLOG_UNKNOWN;
}

/* Only the wildcard is meant for both families; a named IPv6 address never takes IPv4 anyway. */
static bool is_ipv6_wildcard(const struct address *address)
{
    const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)&address->storage;

    return IN6_IS_ADDR_UNSPECIFIED(&inet6->sin6_addr);
}

static int set_listener_options(int fd, const struct address *address, const struct socket_options *options)
{
    int family = address->storage.ss_family;

    if (socket_tune(fd, family, options) != 0)
        return -1;
    if (family == AF_UNIX)
        return 0;
    /* Lets a server restart while connections of its last life are in TIME_WAIT. */
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return -1;
    if (options->reuseport && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return -1;
    if (family == AF_INET6)
        return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options->only_ipv6 || !is_ipv6_wildcard(address));
    return 0;
}

/* Connects without waiting, to learn whether a server is behind the path. A full backlog is one too. */
static bool is_served(const struct address *address)
{
    int fd = sys.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool served;

    if (fd < 0)
        return true; /* unknown: the careful answer */
    served = sys.connect(fd, (const struct sockaddr *)&address->storage, address->length) == 0 ||
             (errno != ECONNREFUSED && errno != ENOENT);
    sys.close(fd);
    return served;
}

/* Something has the path. Unlinking it could take a live server's address away, so only its nature is said.
 */
static int fail_path_in_use(const struct address *address, const char *text)
{
    const char *path = ((const struct sockaddr_un *)&address->storage)->sun_path;
    struct stat status;

    if (path[0] == '\0')
        return fail(PARLEY_NETWORK, "bind %s: address already in use (another process listens there)", text);
    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return fail(PARLEY_NETWORK, "bind %s: a file that is not a socket is in the way", text);
    if (is_served(address))
        return fail(PARLEY_NETWORK, "bind %s: address already in use (another process listens there)", text);
    return fail(PARLEY_NETWORK,
                "bind %s: address already in use (a stale socket that nobody serves; remove it)", text);
}

static int fail_bind(const struct address *address, const char *text, int error)
{
    if (error == EADDRINUSE && address->storage.ss_family == AF_UNIX)
        return fail_path_in_use(address, text);
    return fail_call("bind", text, error);
}

/* NULL where it is none of the file system's. */
static const char *path_of(const struct address *address)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)&address->storage;

    return local->sun_family == AF_UNIX && local->sun_path[0] != '\0' ? local->sun_path : NULL;
}

/* Nobody can connect before listen(2), so there is no time in which it is open to more than it should be. The
 * umask that could do the same is the whole process's, and fchmod(2) of the socket before bind(2) gives no
 * more than the umask leaves. */
static int set_mode(const struct address *address, const struct socket_options *options)
{
    const char *path = path_of(address);

    if (!path || !options->unix_mode)
        return 0;
    return sys.fchmodat(AT_FDCWD, path, options->unix_mode, AT_SYMLINK_NOFOLLOW);
}

static int fail_bound(const char *call, const struct address *address, const char *text, int error)
{
    const char *path = path_of(address);

    if (path)
        unlink(path); /* bind(2) has just made it */
    return fail_call(call, text, error);
}

/* The descriptor stays the caller's to close when this fails. */
static int open_listener(int fd, const struct address *address, const struct socket_options *options)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->storage;
    char text[ADDRESS_TEXT];

    address_text(name, address->length, text);
    if (set_listener_options(fd, address, options) != 0)
        return fail_call("setsockopt", text, errno);
    if (sys.bind(fd, name, address->length) != 0)
        return fail_bind(address, text, errno);
    if (set_mode(address, options) != 0)
        return fail_bound("chmod", address, text, errno);
    if (sys.listen(fd, options->backlog > 0 ? options->backlog : system_backlog()) != 0)
        return fail_bound("listen", address, text, errno);
    return 0;
}

int socket_listen(const struct address *address, const struct socket_options *options)
{
    char text[ADDRESS_TEXT];
    int status;
    int fd = sys.socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        address_text((const struct sockaddr *)&address->storage, address->length, text);
        return fail_call("socket", text, errno);
    }
    status = open_listener(fd, address, options);
    if (status != 0) {
        sys.close(fd);
        return status;
    }
    return fd;
}

/* ---- made by somebody else ------------------------------------------------------------------ */

static int refuse(int fd, const char *what)
{
    return fail(PARLEY_USAGE, "descriptor %d %s; a stream socket that listens is wanted", fd, what);
}

static int option_of(int fd, int name)
{
    int value = 0;
    socklen_t size = sizeof value;

    return sys.getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

bool socket_is_only_ipv6(int fd)
{
    int value = 0;
    socklen_t size = sizeof value;

    return sys.getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size) == 0 && value != 0;
}

int socket_check_listener(int fd)
{
    const int type = option_of(fd, SO_TYPE), family = type < 0 ? -1 : option_of(fd, SO_DOMAIN);

    if (type < 0)
        return refuse(fd, errno == EBADF ? "is not open" : "is no socket");
    if (type != SOCK_STREAM)
        return refuse(fd, type == SOCK_DGRAM ? "is a datagram socket" : "is no stream socket");
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return refuse(fd, "is neither a TCP nor a unix socket");
    return option_of(fd, SO_ACCEPTCONN) == 1 ? family : refuse(fd, "does not listen (Accept=no)");
}
