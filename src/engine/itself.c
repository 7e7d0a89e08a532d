/* Whether an address leads to the server itself: whoever forwards there forwards to itself without end. */
#include "engine/server.h"
#include <ifaddrs.h>
#include <string.h>
#include <sys/stat.h>

/* An IPv4 address in the form that IPv6 has for it, so that there is one kind to compare. */
static struct sockaddr_in6 as_ipv6(const struct sockaddr *address)
{
    struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6};
    struct sockaddr_in inet;
    if (address->sa_family == AF_INET6) {
        memcpy(&inet6, address, sizeof inet6);
        return inet6;
    }
    memcpy(&inet, address, sizeof inet);
    inet6.sin6_port = inet.sin_port;
    memset(&inet6.sin6_addr.s6_addr[10], 0xff, 2);
    memcpy(&inet6.sin6_addr.s6_addr[12], &inet.sin_addr, sizeof inet.sin_addr);
    return inet6;
}

static bool is_ipv4(const struct sockaddr_in6 *address)
{
    return IN6_IS_ADDR_V4MAPPED(&address->sin6_addr);
}

static bool is_wildcard(const struct sockaddr_in6 *address)
{
    static const unsigned char any[4];
    if (is_ipv4(address))
        return memcmp(&address->sin6_addr.s6_addr[12], any, sizeof any) == 0;
    return IN6_IS_ADDR_UNSPECIFIED(&address->sin6_addr);
}

static bool is_loopback(const struct sockaddr_in6 *address)
{
    if (is_ipv4(address))
        return address->sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&address->sin6_addr);
}

static bool is_same_host(const struct sockaddr_in6 *one, const struct sockaddr_in6 *other)
{
    return memcmp(&one->sin6_addr, &other->sin6_addr, sizeof one->sin6_addr) == 0 &&
           one->sin6_scope_id == other->sin6_scope_id;
}

/* bind(2) would know it too, but not where net.ipv4.ip_nonlocal_bind is set. */
static bool is_of_this_machine(const struct sockaddr_in6 *address)
{
    struct ifaddrs *all = NULL;
    bool found = is_loopback(address);
    if (found || getifaddrs(&all) < 0)
        return found;
    for (const struct ifaddrs *each = all; each && !found; each = each->ifa_next)
        if (each->ifa_addr &&
            (each->ifa_addr->sa_family == AF_INET || each->ifa_addr->sa_family == AF_INET6)) {
            const struct sockaddr_in6 own = as_ipv6(each->ifa_addr);
            found = is_same_host(&own, address);
        }
    freeifaddrs(all);
    return found;
}

/* A wildcard is every address of this machine. Who connects to one reaches the loopback. */
static bool listens_at(const struct bound *bound, const struct sockaddr_in6 *there)
{
    const struct sockaddr_in6 here = as_ipv6((const struct sockaddr *)&bound->address.storage);
    if (here.sin6_port != there->sin6_port)
        return false;
    if (!is_wildcard(&here))
        return is_same_host(&here, there) || (is_wildcard(there) && is_loopback(&here));
    if (is_ipv4(&here) != is_ipv4(there) && (is_ipv4(&here) || bound->only_ipv6))
        return false;
    return is_wildcard(there) || is_of_this_machine(there);
}

/* A path may be written in several ways; what it leads to is one file. */
static bool listens_on_file(const struct bound *bound, const struct address *address)
{
    const struct sockaddr_un *there = (const struct sockaddr_un *)&address->storage;
    struct stat file;
    if (bound->inode && there->sun_path[0] != '\0')
        return stat(there->sun_path, &file) == 0 && file.st_dev == bound->device &&
               file.st_ino == bound->inode;
    return bound->address.length == address->length &&
           memcmp(&bound->address.storage, &address->storage, address->length) == 0;
}

static bool leads_to(const struct bound *bound, const struct address *address)
{
    const bool is_unix = address->storage.ss_family == AF_UNIX;
    if ((bound->address.storage.ss_family == AF_UNIX) != is_unix)
        return false;
    if (is_unix)
        return listens_on_file(bound, address);
    const struct sockaddr_in6 there = as_ipv6((const struct sockaddr *)&address->storage);
    return listens_at(bound, &there);
}

bool server_listens_at(const parley_server *server, const struct address *address)
{
    for (size_t i = 0; i < server->bound_count; i++)
        if (leads_to(&server->bounds[i], address))
            return true;
    return false;
}
