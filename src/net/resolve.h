/* Names to addresses: getaddrinfo(3), ordered by the system (RFC 6724), families interleaved (RFC 8305). */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/address.h"

struct address_list {
    size_t count;
    struct address *items; /* sys.malloc; free with address_list_free() */
};

/* Blocks. `family` is AF_UNSPEC, AF_INET or AF_INET6. `passive`: for listening, an empty host gives one
 * [::] that is meant to be dual-stack (or 0.0.0.0 when the machine has no IPv6 or family is AF_INET).
 * "localhost" is both loopback addresses and never asked of a name server (RFC 6761). Duplicates are
 * removed. 0 or a parley_status: "resolve example.org: name or service not known"; a number of the other
 * family is PARLEY_USAGE. */
int resolve(const struct endpoint *endpoint, int family, bool passive, struct address_list *list);
/* AF_INET or AF_INET6 of a host that is written as a number, else AF_UNSPEC. */
int endpoint_family(const struct endpoint *endpoint);
/* The address of an endpoint that needs no look-up, since it is written in numbers or names a unix socket;
 * not that of an empty host, which is two addresses. False: it is another, or not of this family. */
bool resolve_number(const struct endpoint *endpoint, int family, struct address *address);
/* The address that a user writes in numbers, its port left out or not: "192.0.2.1", "192.0.2.1:40000", "::1",
 * "[::1]:80"; "unix:/path" and "@name" too. 0, or PARLEY_USAGE with a sentence. */
int resolve_literal(const char *text, struct address *address);
void address_list_free(struct address_list *list);

#endif
