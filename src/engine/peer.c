/* The address of the peer: kept in the smallest form that loses nothing. */
#include "base/sys.h"
#include "engine/conn.h"
#include <string.h>
#include <sys/un.h>

static int keep_ipv6(parley_conn *conn, const struct sockaddr_in6 *address)
{
    const struct in6_addr *ipv6 = &address->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(ipv6)) {
        conn->peer_kind = PEER_MAPPED;
        memcpy(&conn->peer.ipv4.address, &ipv6->s6_addr[12], sizeof conn->peer.ipv4.address);
        conn->peer.ipv4.port = address->sin6_port;
        return 0;
    }
    conn->peer.ipv6 = sys.malloc(sizeof *address);
    if (!conn->peer.ipv6)
        return -1;
    conn->peer_kind = PEER_IPV6;
    memcpy(conn->peer.ipv6, address, sizeof *address);
    return 0;
}

int conn_set_peer(parley_conn *conn, const struct sockaddr *peer)
{
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    conn_forget_peer(conn);
    switch (peer ? peer->sa_family : AF_UNSPEC) {
    case AF_INET:
        memcpy(&ipv4, peer, sizeof ipv4);
        conn->peer_kind = PEER_IPV4;
        conn->peer.ipv4.address = ipv4.sin_addr.s_addr;
        conn->peer.ipv4.port = ipv4.sin_port;
        return 0;
    case AF_INET6: memcpy(&ipv6, peer, sizeof ipv6); return keep_ipv6(conn, &ipv6);
    case AF_UNIX: conn->peer_kind = PEER_UNIX; return 0;
    default: return 0;
    }
}

void conn_forget_peer(parley_conn *conn)
{
    if (conn->peer_kind == PEER_IPV6)
        sys.free(conn->peer.ipv6);
    conn->peer_kind = PEER_UNKNOWN;
}

static socklen_t give_ipv4(const parley_conn *conn, struct sockaddr_storage *address)
{
    struct sockaddr_in ipv4 = {
        .sin_family = AF_INET, .sin_port = conn->peer.ipv4.port, .sin_addr.s_addr = conn->peer.ipv4.address};
    memcpy(address, &ipv4, sizeof ipv4);
    return sizeof ipv4;
}

static socklen_t give_mapped(const parley_conn *conn, struct sockaddr_storage *address)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6,
                                .sin6_port = conn->peer.ipv4.port,
                                .sin6_addr.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&ipv6.sin6_addr.s6_addr[12], &conn->peer.ipv4.address, sizeof conn->peer.ipv4.address);
    memcpy(address, &ipv6, sizeof ipv6);
    return sizeof ipv6;
}

socklen_t conn_peer(const parley_conn *conn, struct sockaddr_storage *address)
{
    *address = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    switch (conn->peer_kind) {
    case PEER_IPV4: return give_ipv4(conn, address);
    case PEER_MAPPED: return give_mapped(conn, address);
    case PEER_IPV6: memcpy(address, conn->peer.ipv6, sizeof *conn->peer.ipv6); return sizeof *conn->peer.ipv6;
    case PEER_UNIX: address->ss_family = AF_UNIX; break;
    case PEER_UNKNOWN: break;
    }
    return sizeof address->ss_family;
}

const char *conn_address_text(const parley_conn *conn, const struct sockaddr_storage *address,
                              socklen_t length, char text[ADDRESS_TEXT])
{
    struct sockaddr_storage path;
    socklen_t room = sizeof path;
    if (address->ss_family == AF_UNIX && getpeername(conn->fd, (struct sockaddr *)&path, &room) == 0)
        return address_text((struct sockaddr *)&path, room, text);
    return address_text((const struct sockaddr *)address, length, text);
}
