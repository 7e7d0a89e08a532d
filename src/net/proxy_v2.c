/* Version 2 of the PROXY protocol, read: binary, with facts behind the addresses. */
#include "net/crc32c.h"
#include "net/proxy.h"
#include "net/proxy_wire.h"
#include <string.h>

const unsigned char wire_signature[WIRE_SIGNATURE] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                                      '\n', 'Q',  'U',  'I',  'T', '\n'};

static size_t length_at(const unsigned char *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

/* ---- addresses ------------------------------------------------------------------------------ */

static const size_t size_of_addresses[WIRE_FAMILIES] = {
    [WIRE_IPV4] = WIRE_IPV4_SIZE, [WIRE_IPV6] = WIRE_IPV6_SIZE, [WIRE_UNIX] = WIRE_UNIX_SIZE};

static void set_ipv4(struct address *address, const unsigned char *number, const unsigned char *port)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    memcpy(&ipv4.sin_addr, number, 4);
    memcpy(&ipv4.sin_port, port, 2);
    address->length = sizeof ipv4;
    memcpy(&address->storage, &ipv4, sizeof ipv4);
}

static void set_ipv6(struct address *address, const unsigned char *number, const unsigned char *port)
{
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    memcpy(&ipv6.sin6_addr, number, 16);
    memcpy(&ipv6.sin6_port, port, 2);
    address->length = sizeof ipv6;
    memcpy(&address->storage, &ipv6, sizeof ipv6);
}

/* The wire has no length: a path ends at its first NUL, an abstract name before the last ones. */
static void set_unix(struct address *address, const unsigned char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t size = sizeof name.sun_path;
    while (size > 0 && path[size - 1] == '\0')
        size--;
    if (path[0] != '\0')
        size = strnlen((const char *)path, size);
    memcpy(name.sun_path, path, size);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    memcpy(&address->storage, &name, sizeof name);
}

static void read_addresses(struct proxy_header *header, unsigned family, const unsigned char *block)
{
    if (family == WIRE_IPV4) {
        set_ipv4(&header->source, block, block + 8);
        set_ipv4(&header->destination, block + 4, block + 10);
    } else if (family == WIRE_IPV6) {
        set_ipv6(&header->source, block, block + 32);
        set_ipv6(&header->destination, block + 16, block + 34);
    } else {
        set_unix(&header->source, block);
        set_unix(&header->destination, block + WIRE_UNIX_SIZE / 2);
    }
}

/* ---- facts behind them ---------------------------------------------------------------------- */

struct fact {
    unsigned type;
    const unsigned char *value;
    size_t size;
};

/* What a header is read into, and the header itself, over which its checksum goes. */
struct parsing {
    struct proxy_header *header;
    const unsigned char *bytes;
    size_t size;
    bool has_sum, has_tls;
};

typedef ssize_t take_fact(struct parsing *parsing, const struct fact *fact);

static ssize_t each_fact(struct parsing *parsing, const unsigned char *bytes, size_t size, take_fact *take)
{
    while (size > 0) {
        size_t length = size < WIRE_FACT_FIXED ? 0 : length_at(bytes + 1);
        if (size < WIRE_FACT_FIXED || length > size - WIRE_FACT_FIXED)
            return proxy_refuse("a TLV reaches beyond its end");
        ssize_t status = take(parsing, &(struct fact){bytes[0], bytes + WIRE_FACT_FIXED, length});
        if (status < 0)
            return status;
        bytes += WIRE_FACT_FIXED + length;
        size -= WIRE_FACT_FIXED + length;
    }
    return 0;
}

/* Two of the same would leave it open which of them counts, and a NUL where a text ends. */
static ssize_t take_text(struct proxy_text *text, const struct fact *fact)
{
    if (text->bytes)
        return proxy_refuse("a TLV is there twice");
    if (memchr(fact->value, '\0', fact->size))
        return proxy_refuse("a NUL inside a text");
    *text = (struct proxy_text){(const char *)fact->value, fact->size};
    return 0;
}

static ssize_t take_inside_tls(struct parsing *parsing, const struct fact *fact)
{
    struct proxy_tls *tls = &parsing->header->tls;
    switch (fact->type) {
    case WIRE_TLS_VERSION: return take_text(&tls->version, fact);
    case WIRE_TLS_COMMON_NAME: return take_text(&tls->common_name, fact);
    case WIRE_TLS_CIPHER: return take_text(&tls->cipher, fact);
    default: return 0;
    }
}

static ssize_t take_tls(struct parsing *parsing, const struct fact *fact)
{
    static const unsigned char verified[4] = {0};
    struct proxy_tls *tls = &parsing->header->tls;
    if (fact->size < WIRE_TLS_FIXED)
        return proxy_refuse("its TLS part is shorter than 5 bytes");
    if (parsing->has_tls)
        return proxy_refuse("a TLV is there twice");
    parsing->has_tls = true;
    tls->given = fact->value[0] & WIRE_TLS_USED;
    tls->verified =
        fact->value[0] & WIRE_TLS_CERTIFICATE && memcmp(fact->value + 1, verified, sizeof verified) == 0;
    return each_fact(parsing, fact->value + WIRE_TLS_FIXED, fact->size - WIRE_TLS_FIXED, take_inside_tls);
}

/* The sum goes over the whole header, with zeros in its own place. */
static ssize_t check_sum(struct parsing *parsing, const struct fact *fact)
{
    static const unsigned char zeros[4] = {0};
    if (fact->size != sizeof zeros)
        return proxy_refuse("a CRC32C that is not 4 bytes");
    if (parsing->has_sum)
        return proxy_refuse("a TLV is there twice");
    parsing->has_sum = true;
    const unsigned char *behind = fact->value + sizeof zeros, *given = fact->value;
    uint32_t sum = crc32c(0, parsing->bytes, (size_t)(given - parsing->bytes));
    sum = crc32c(sum, zeros, sizeof zeros);
    sum = crc32c(sum, behind, (size_t)(parsing->bytes + parsing->size - behind));
    uint32_t told = (uint32_t)given[0] << 24 | (uint32_t)given[1] << 16 | (uint32_t)given[2] << 8 | given[3];
    return sum == told ? 0 : proxy_refuse("its CRC32C is wrong");
}

static ssize_t take(struct parsing *parsing, const struct fact *fact)
{
    switch (fact->type) {
    case WIRE_AUTHORITY: return take_text(&parsing->header->authority, fact);
    case WIRE_CRC32C: return check_sum(parsing, fact);
    case WIRE_TLS: return take_tls(parsing, fact);
    default: return 0;
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool is_pair(unsigned byte)
{
    unsigned family = byte >> 4, transport = byte & 15;
    bool is_family = family > WIRE_UNSPECIFIED && family < WIRE_FAMILIES;
    /* A proxy may take datagrams and pass them on in a stream: its client's address is one like any other. */
    return byte == WIRE_UNSPECIFIED ||
           (is_family && (transport == WIRE_STREAM || transport == WIRE_DATAGRAM));
}

/* Refuses as soon as the byte that is wrong has come. */
static ssize_t check_fixed(const unsigned char *bytes, size_t size)
{
    if (size > WIRE_COMMAND && bytes[WIRE_COMMAND] >> 4 != PROXY_V2)
        return proxy_refuse("its version is not 2");
    if (size > WIRE_COMMAND && bytes[WIRE_COMMAND] != WIRE_LOCAL && bytes[WIRE_COMMAND] != WIRE_PROXY)
        return proxy_refuse("its command is none of LOCAL, PROXY");
    if (size > WIRE_FAMILY && bytes[WIRE_COMMAND] == WIRE_PROXY && !is_pair(bytes[WIRE_FAMILY]))
        return proxy_refuse("there is no such family and transport");
    if (size < WIRE_FIXED)
        return 0;
    if (length_at(bytes + WIRE_LENGTH) > PROXY_LONGEST - WIRE_FIXED)
        return proxy_refuse("longer than 8192 bytes");
    if (bytes[WIRE_COMMAND] == WIRE_PROXY &&
        length_at(bytes + WIRE_LENGTH) < size_of_addresses[bytes[WIRE_FAMILY] >> 4])
        return proxy_refuse("too short for its addresses");
    return 0;
}

ssize_t proxy_read_v2(const unsigned char *bytes, size_t size, struct proxy_header *header)
{
    ssize_t status = check_fixed(bytes, size);
    if (status < 0 || size < WIRE_FIXED)
        return status;
    size_t whole = WIRE_FIXED + length_at(bytes + WIRE_LENGTH);
    if (size < whole)
        return 0;
    unsigned family = bytes[WIRE_FAMILY] >> 4;
    /* Both say: whatever follows is to be skipped. */
    if (bytes[WIRE_COMMAND] == WIRE_LOCAL || family == WIRE_UNSPECIFIED) {
        header->kind = bytes[WIRE_COMMAND] == WIRE_LOCAL ? PROXY_LOCAL : PROXY_UNKNOWN;
        return (ssize_t)whole;
    }
    struct parsing parsing = {.header = header, .bytes = bytes, .size = whole};
    size_t facts = WIRE_FIXED + size_of_addresses[family];
    header->kind = PROXY_GIVEN;
    read_addresses(header, family, bytes + WIRE_FIXED);
    status = each_fact(&parsing, bytes + facts, whole - facts, take);
    return status < 0 ? status : (ssize_t)whole;
}
