/* Sockets made and set as this house wants them. All close-on-exec. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "net/address.h"

struct socket_options {
    int backlog;        /* 0: the system's maximum, /proc/sys/net/core/somaxconn */
    bool nodelay;       /* TCP_NODELAY */
    bool reuseport;     /* SO_REUSEPORT, listeners only */
    int keepalive;      /* seconds before the first probe (TCP_KEEPIDLE), 0 off; then every
                           max(1, keepalive/3) s, 3 probes; unacknowledged data is given the same
                           time (TCP_USER_TIMEOUT) */
    bool only_ipv6;     /* listeners: [::] takes no IPv4 ("family" is 6) */
    mode_t unix_mode;   /* permissions of socket files; 0: what the umask leaves */
    int receive_buffer; /* SO_RCVBUF, 0: left to the kernel */
    int send_buffer;    /* SO_SNDBUF, 0: left to the kernel */
};

/* socket, SO_REUSEADDR, IPV6_V6ONLY (off for the [::] wildcard unless `only_ipv6`, on otherwise), bind,
 * listen. What socket_tune() sets is set on the listener, and its connections inherit it: no call per client.
 * A unix path in use is refused by trying to connect to it; a stale socket file (nobody accepts) is refused
 * too with the sentence that says so (never unlinked blindly). Returns the descriptor, blocking, or a
 * parley_status: "bind 0.0.0.0:80: permission denied (…)". */
int socket_listen(const struct address *address, const struct socket_options *options);

/* Whether a descriptor that somebody else made is a stream socket that listens, of a family we know: its
 * family, or PARLEY_USAGE with what it is instead. */
int socket_check_listener(int fd);
/* Whether one that listens on [::] takes no IPv4 clients (IPV6_V6ONLY). */
bool socket_is_only_ipv6(int fd);

/* What a listener or a dialled descriptor needs: nodelay, keepalive (TCP only), buffers. 0, or -1 and errno.
 */
int socket_tune(int fd, int family, const struct socket_options *options);

/* Whether a descriptor that has just been connected to `peer` met itself: when nobody listens on a port of
 * the ephemeral range of this machine, the kernel may choose that same port for our side. Both ends are then
 * one socket, and whatever is sent comes back. Such a one is reset when it is closed, lest its TIME_WAIT keep
 * the port from the server that should have it. */
bool socket_met_itself(int fd, const struct sockaddr *peer, socklen_t length);

/* O_NONBLOCK on or off: 0, or -1 and errno. */
int socket_set_blocking(int fd, bool blocking);

#endif
