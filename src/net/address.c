#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

static void print_ipv4(const struct in_addr *address, in_port_t port, char text[ADDRESS_TEXT])
{
    char number[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, address, number, sizeof number);
    snprintf(text, ADDRESS_TEXT, "%s:%u", number, ntohs(port));
}

static void print_ipv6(const struct sockaddr_in6 *address, char text[ADDRESS_TEXT])
{
    char number[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE + 1] = "";
    struct in_addr mapped;

    if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
        memcpy(&mapped, &address->sin6_addr.s6_addr[12], sizeof mapped);
        print_ipv4(&mapped, address->sin6_port, text);
        return;
    }
    if (address->sin6_scope_id != 0) {
        zone[0] = '%';
        if (if_indextoname(address->sin6_scope_id, zone + 1) == NULL)
            snprintf(zone + 1, sizeof zone - 1, "%u", address->sin6_scope_id);
    }
    inet_ntop(AF_INET6, &address->sin6_addr, number, sizeof number);
    snprintf(text, ADDRESS_TEXT, "[%s%s]:%u", number, zone, ntohs(address->sin6_port));
}

/* A peer chose its own name, so what could steer a terminal or break a log line becomes "\xNN". */
static void print_unix(const struct sockaddr_un *address, socklen_t length, char text[ADDRESS_TEXT])
{
    const char *path = address->sun_path;
    size_t size = length - offsetof(struct sockaddr_un, sun_path);
    bool abstract = path[0] == '\0';
    size_t used = (size_t)snprintf(text, ADDRESS_TEXT, "%s", abstract ? "@" : "unix:");

    if (size > sizeof address->sun_path)
        size = sizeof address->sun_path;
    size = abstract ? size : strnlen(path, size);
    escape_bytes(text + used, ADDRESS_TEXT - used, path + abstract, size - abstract, "", NULL);
}

const char *address_text(const struct sockaddr *address, socklen_t length, char text[ADDRESS_TEXT])
{
    struct sockaddr_storage copy = {0}; /* aligned for any family, whatever the caller's buffer */

    memcpy(&copy, address, length < sizeof copy ? length : sizeof copy);
    if (copy.ss_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *inet = (const struct sockaddr_in *)&copy;
        print_ipv4(&inet->sin_addr, inet->sin_port, text);
    } else if (copy.ss_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        print_ipv6((const struct sockaddr_in6 *)&copy, text);
    } else if (copy.ss_family == AF_UNIX && length > offsetof(struct sockaddr_un, sun_path)) {
        print_unix((const struct sockaddr_un *)&copy, length, text);
    } else {
        snprintf(text, ADDRESS_TEXT, "%s", copy.ss_family == AF_UNIX ? "unix" : "unknown");
    }
    return text;
}

socklen_t address_length(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET: return sizeof(struct sockaddr_in);
    case AF_INET6: return sizeof(struct sockaddr_in6);
    default: return sizeof address->sa_family;
    }
}

int address_port(const struct sockaddr *address)
{
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;

    switch (address->sa_family) {
    case AF_INET: memcpy(&inet, address, sizeof inet); return ntohs(inet.sin_port);
    case AF_INET6: memcpy(&inet6, address, sizeof inet6); return ntohs(inet6.sin6_port);
    default: return 0;
    }
}
