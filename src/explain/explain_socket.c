/* Narrates the making of sockets and connections. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "explain/narration.h"
#include "net/address.h"

/* ---- socket, bind, listen ------------------------------------------------------------------- */

static const char *family_name(int family)
{
    return family == AF_INET    ? "AF_INET"
           : family == AF_INET6 ? "AF_INET6"
           : family == AF_UNIX  ? "AF_UNIX"
                                : "?";
}

static int explain_socket(int family, int type, int protocol)
{
    struct narration narration;
    int fd = plain_sys.socket(family, type, protocol);

    narration_begin(&narration, "socket");
    narration_call(&narration, "(%s, SOCK_STREAM%s)", family_name(family),
                   type & SOCK_NONBLOCK ? "|SOCK_NONBLOCK" : "");
    if (fd >= 0) {
        descriptor_made(fd);
        narration_mean(&narration, "an endpoint for a stream of bytes, without an address yet%s",
                       type & SOCK_NONBLOCK ? "; its calls never wait" : "");
    }
    narration_say(&narration, fd);
    return fd;
}

/* The address it got: port 0 asked for any. */
static const char *own_address(int fd, char text[ADDRESS_TEXT])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        return "?";
    return address_text((struct sockaddr *)&address, length, text);
}

static int explain_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    char text[ADDRESS_TEXT];
    struct narration narration;
    int result = plain_sys.bind(fd, address, length);

    narration_begin(&narration, "bind");
    narration_call(&narration, "(%d, %s)", fd, address_text(address, length, text));
    if (result == 0)
        narration_mean(&narration, "the endpoint now has the address %s", own_address(fd, text));
    narration_say(&narration, result);
    return result;
}

static int explain_listen(int fd, int backlog)
{
    struct narration narration;
    int result = plain_sys.listen(fd, backlog);

    narration_begin(&narration, "listen");
    narration_call(&narration, "(%d, %d)", fd, backlog);
    if (result == 0) {
        narration_mean(&narration,
                       "the kernel keeps two queues from now on: handshakes begun, and up to %d done",
                       backlog);
    }
    narration_say(&narration, result);
    return result;
}

/* ---- accept, connect ------------------------------------------------------------------------ */

static void say_accept_sleeps(int fd)
{
    struct narration narration;

    if (would_sleep(fd, POLLIN, 0)) {
        narration_begin(&narration, "accept");
        narration_call(&narration, "(%d)", fd);
        narration_mean(&narration, "sleeps until a client's handshake is finished");
        narration_say_sleep(&narration);
    }
}

static const char *peer_address(int fd, char text[ADDRESS_TEXT])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    if (getpeername(fd, (struct sockaddr *)&address, &length) < 0)
        return "which has gone already";
    return address_text((struct sockaddr *)&address, length, text);
}

static int explain_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    char text[ADDRESS_TEXT];
    struct narration narration;
    int client;

    say_accept_sleeps(fd);
    client = plain_sys.accept4(fd, address, length, flags);
    narration_begin(&narration, "accept");
    narration_call(&narration, "(%d)", fd);
    if (client >= 0) {
        descriptor_made(client);
        narration_mean(&narration, "a new descriptor for this one client, %s; %d goes on listening",
                       peer_address(client, text), fd);
    }
    narration_say(&narration, client);
    return client;
}

static int explain_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    char text[ADDRESS_TEXT];
    struct narration narration;
    int result = plain_sys.connect(fd, address, length);

    narration_begin(&narration, "connect");
    narration_call(&narration, "(%d, %s)", fd, address_text(address, length, text));
    if (result == 0)
        narration_mean(&narration, "the handshake is done, from our port at %s", own_address(fd, text));
    narration_say(&narration, result);
    return result;
}

/* ---- options -------------------------------------------------------------------------------- */

static const struct option_name {
    int level, name;
    const char *text;
    const char *meaning;
} option_names[] = {
    {SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR",
     "may bind again while connections of a former life are in TIME_WAIT"},
    {SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT",
     "several sockets may share the address, each with queues of its own"},
    {SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE",
     "the kernel probes a silent peer, to learn whether it is still there"},
    {SOL_SOCKET, SO_RCVBUF, "SO_RCVBUF", "so much may wait in the kernel until we receive it"},
    {SOL_SOCKET, SO_SNDBUF, "SO_SNDBUF", "so much the kernel takes from us before the peer has it"},
    {SOL_SOCKET, SO_LINGER, "SO_LINGER",
     "{1, 0}: close will break off (RST) and throw away what was not sent"},
    {SOL_SOCKET, SO_RCVTIMEO, "SO_RCVTIMEO", "so long may recv sleep at most"},
    {SOL_SOCKET, SO_SNDTIMEO, "SO_SNDTIMEO", "so long may send sleep at most"},
    {SOL_SOCKET, SO_ERROR, "SO_ERROR", "how the connect ended: 0, or why it failed"},
    {IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY", "small pieces are sent at once, not gathered (Nagle)"},
    {IPPROTO_TCP, TCP_KEEPIDLE, "TCP_KEEPIDLE", "seconds of silence before the first probe"},
    {IPPROTO_TCP, TCP_KEEPINTVL, "TCP_KEEPINTVL", "seconds between probes"},
    {IPPROTO_TCP, TCP_KEEPCNT, "TCP_KEEPCNT", "so many probes without answer end the connection"},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", "ms that sent bytes may go unconfirmed"},
    {IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY", "0: takes IPv4 clients too; 1: IPv6 alone"},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT",
     "the port is chosen at connect, when the peer is known"},
};

static struct option_name option_name(int level, int name)
{
    for (size_t i = 0; i < sizeof option_names / sizeof option_names[0]; i++)
        if (option_names[i].level == level && option_names[i].name == name)
            return option_names[i];
    return (struct option_name){level, name, "another option", ""};
}

static bool is_time(int level, int name)
{
    return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}

static void call_value(struct narration *narration, int level, int name, const void *value, socklen_t length)
{
    struct timeval time;
    int number[2] = {0, 0};

    if (is_time(level, name) && length == sizeof time) {
        memcpy(&time, value, sizeof time);
        narration_call(narration, "%lld.%03d s", (long long)time.tv_sec, (int)(time.tv_usec / 1000));
    } else if (length == sizeof number) {
        memcpy(number, value, sizeof number);
        narration_call(narration, "{%d, %d}", number[0], number[1]);
    } else {
        memcpy(number, value, length < sizeof number[0] ? length : sizeof number[0]);
        narration_call(narration, "%d", number[0]);
    }
}

static int explain_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    const struct option_name option = option_name(level, name);
    struct narration narration;
    int result = plain_sys.setsockopt(fd, level, name, value, length);

    narration_begin(&narration, "setsockopt");
    narration_call(&narration, "(%d, %s, ", fd, option.text);
    call_value(&narration, level, name, value, length);
    narration_call(&narration, ")");
    if (result == 0)
        narration_mean(&narration, "%s", option.meaning);
    narration_say(&narration, result);
    return result;
}

/* The result of a connect that went on by itself. */
static void tell_outcome(struct narration *narration, const void *value)
{
    int error;

    memcpy(&error, value, sizeof error);
    if (error == 0) {
        narration_mean(narration, "how the connect ended: the handshake is done");
    } else {
        narration_call(narration, ", %s", strerrorname_np(error) != NULL ? strerrorname_np(error) : "?");
        narration_mean_error(narration, "connect", error);
    }
}

static int explain_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    const struct option_name option = option_name(level, name);
    struct narration narration;
    int result = plain_sys.getsockopt(fd, level, name, value, length);

    narration_begin(&narration, "getsockopt");
    narration_call(&narration, "(%d, %s", fd, option.text);
    if (result == 0 && level == SOL_SOCKET && name == SO_ERROR && *length == sizeof(int))
        tell_outcome(&narration, value);
    else if (result == 0)
        narration_mean(&narration, "%s", option.meaning);
    narration_call(&narration, ")");
    narration_say(&narration, result);
    return result;
}

void explain_sockets(struct sys *table)
{
    table->socket = explain_socket;
    table->bind = explain_bind;
    table->listen = explain_listen;
    table->accept4 = explain_accept4;
    table->connect = explain_connect;
    table->setsockopt = explain_setsockopt;
    table->getsockopt = explain_getsockopt;
}
