/* The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): what a proxy says in front of a
 * connection's own bytes, read and written. Bytes in, facts out: nothing here touches a socket. */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/address.h"

enum proxy_version { PROXY_V1 = 1, PROXY_V2 = 2 };

enum proxy_kind {
    PROXY_LOCAL,   /* the proxy speaks for itself, a health check: the connection's own addresses count */
    PROXY_UNKNOWN, /* it does not say for whom it speaks: the same */
    PROXY_GIVEN    /* for the client at `source`, who came to `destination` */
};

/* Bytes as they came, lent by the header that was read; not ended by NUL, and without one inside. Empty: not
 * said. */
struct proxy_text {
    const char *bytes;
    size_t size;
};

/* What the proxy says of the TLS between the client and itself: only where `given`. */
struct proxy_tls {
    bool given;
    bool verified;             /* the client showed a certificate, and it was verified */
    struct proxy_text version; /* "TLSv1.3" */
    struct proxy_text cipher;
    struct proxy_text common_name; /* of the client's certificate */
};

struct proxy_header {
    enum proxy_kind kind;
    struct address source, destination; /* PROXY_GIVEN; a unix address may be unnamed */
    struct proxy_tls tls;
    struct proxy_text authority; /* the name the client asked for: SNI, mostly */
};

/* The longest header that is read: certificates and what else may stand behind the addresses need less. */
enum { PROXY_LONGEST = 8192 };

/* From so many bytes on it is known whether a header begins with them, or earlier. */
enum { PROXY_START = 12 };

/* Whether bytes are the start of a header of either version: 1 yes, -1 no, 0 when more are needed. */
int proxy_begins(const void *bytes, size_t size);

/* Reads the header at the front of the bytes received so far, of either version. Gives its length, behind
 * which the connection's own bytes begin; 0 when more is needed; or PARLEY_NETWORK with a sentence, as early
 * as it can be known, when this is no header, or one that breaks a rule. What is read does not depend on how
 * the bytes were split. Facts of version 2 beside addresses are read for PROXY_GIVEN alone. */
ssize_t proxy_read(const void *bytes, size_t size, struct proxy_header *header);

/* Room for every header that is written: longer texts are PARLEY_USAGE. */
enum { PROXY_ROOM = 2048 };

/* Writes a header: its length, or a parley_status. The source decides the family, and a destination of
 * another one is written as not known (0.0.0.0:0, "::", an empty path); IPv4 is written as IPv4, however it
 * is stored, unless the destination is IPv6: both are then. Version 1 knows no unix addresses (UNKNOWN) and
 * none of the facts beside them; version 2 ends with a CRC32C. */
ssize_t proxy_write(unsigned char bytes[PROXY_ROOM], enum proxy_version version,
                    const struct proxy_header *header);

/* The header of the connection behind a descriptor as its own end sees it: from its local address to its
 * peer's. PROXY_UNKNOWN where the kernel does not say. */
void proxy_of_socket(struct proxy_header *header, int fd);

#endif
