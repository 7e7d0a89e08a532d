/* Version 2 of the PROXY protocol on the wire, for those that read and write it. */
#ifndef NET_PROXY_WIRE_H
#define NET_PROXY_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proxy_header;

/* Signature, then one byte each: version and command, family and transport; then a length of two. */
enum {
    WIRE_SIGNATURE = 12,
    WIRE_COMMAND = WIRE_SIGNATURE,
    WIRE_FAMILY = 13,
    WIRE_LENGTH = 14,
    WIRE_FIXED = 16,
};

enum { WIRE_LOCAL = 0x20, WIRE_PROXY = 0x21 };

enum { WIRE_UNSPECIFIED = 0, WIRE_IPV4 = 1, WIRE_IPV6 = 2, WIRE_UNIX = 3, WIRE_FAMILIES };
enum { WIRE_STREAM = 1, WIRE_DATAGRAM = 2 };

/* Bytes of both addresses, by family. */
enum { WIRE_IPV4_SIZE = 12, WIRE_IPV6_SIZE = 36, WIRE_UNIX_SIZE = 216 };

/* Behind the addresses: a type, a length of two bytes, a value. */
enum {
    WIRE_AUTHORITY = 0x02,
    WIRE_CRC32C = 0x03,
    WIRE_TLS = 0x20,
    WIRE_TLS_VERSION = 0x21,
    WIRE_TLS_COMMON_NAME = 0x22,
    WIRE_TLS_CIPHER = 0x23,
    WIRE_FACT_FIXED = 3,
};

/* Inside WIRE_TLS, before facts of its own: a byte of flags and four that are 0 if a certificate was
 * verified.
 */
enum { WIRE_TLS_FIXED = 5, WIRE_TLS_USED = 1, WIRE_TLS_CERTIFICATE = 6 };

extern const unsigned char wire_signature[WIRE_SIGNATURE];

/* Version 2 of proxy_read(); `bytes` start with what may be its signature. */
ssize_t proxy_read_v2(const unsigned char *bytes, size_t size, struct proxy_header *header);

/* Says why a header is refused: PARLEY_NETWORK. */
ssize_t proxy_refuse(const char *why);

#endif
