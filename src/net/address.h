/* Addresses as users write them, as the kernel takes them, and as logs print them. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <parley.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A socket address with its length. sockaddr_storage holds every family. */
struct address {
    socklen_t length;
    struct sockaddr_storage storage;
};

/* Long enough for "[" IPv6 "%" zone "]:65535" and for "unix:" with the longest path, each byte of it escaped.
 */
enum { ADDRESS_TEXT = 448 };

/* What the user wrote, taken apart. */
struct endpoint {
    enum endpoint_kind { ENDPOINT_INET, ENDPOINT_UNIX, ENDPOINT_ABSTRACT } kind;
    char host[256]; /* "" is the wildcard when listening, the loopback when dialling */
    char port[32];  /* number or service name of getaddrinfo(3) */
    char path[109]; /* unix path, or the abstract name without its '@' */
};

/* Parses "3000", ":3000", "host:3000", "host 3000", "[::1]:3000", "::1 3000", "unix:/path", "@name".
 * 0, or PARLEY_USAGE with a sentence that says what is wrong and what would be right. Refused, never
 * truncated: host names over 253 bytes or with an empty or overlong label, IPv4 addresses in any other form
 * than four decimal numbers, link-local addresses without a %zone and zones elsewhere, ports above 65535,
 * paths that do not fit. The final dot of an absolute host name is kept. */
int endpoint_parse(struct endpoint *endpoint, const char *text);

/* "127.0.0.1:80", "[::1]:80", "unix:/path", "@name", "unix" when unnamed. An IPv4-mapped IPv6 address
 * is printed as IPv4. In names UTF-8 stays as it is; control characters and bytes that are no text are
 * "\xNN", so that it is for people: who wants to reach a path takes the address. Returns `text`. */
const char *address_text(const struct sockaddr *address, socklen_t length, char text[ADDRESS_TEXT]);

/* The length of an address as its family has it, where the kernel's is not at hand: a unix one counts as
 * unnamed. */
socklen_t address_length(const struct sockaddr *address);

/* The port in host order; 0 for unix sockets. */
int address_port(const struct sockaddr *address);

#endif
