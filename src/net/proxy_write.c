/* PROXY headers, written. */
#include "base/error.h"
#include "net/crc32c.h"
#include "net/proxy.h"
#include "net/proxy_wire.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- both ends, in one family ---------------------------------------------------------------- */

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

/* An address of any kind; all 0 where it is of another. IPv4 is mapped. */
struct end {
    unsigned char number[16];
    in_port_t port; /* as on the wire */
    char path[WIRE_UNIX_SIZE / 2];
};

struct ends {
    sa_family_t family; /* AF_INET: the last four bytes of each number. AF_UNSPEC: there is nothing to say */
    struct end source, destination;
};

static void set_path(struct end *end, const struct address *address)
{
    struct sockaddr_un path;
    size_t size = address->length > sizeof path ? sizeof path : address->length;
    memcpy(&path, &address->storage, size);
    if (size > offsetof(struct sockaddr_un, sun_path))
        memcpy(end->path, path.sun_path, size - offsetof(struct sockaddr_un, sun_path));
}

static struct end end_of(const struct address *address)
{
    struct end end = {0};
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    if (address->storage.ss_family == AF_INET) {
        memcpy(&ipv4, &address->storage, sizeof ipv4);
        memcpy(end.number, mapped, sizeof mapped);
        memcpy(end.number + sizeof mapped, &ipv4.sin_addr, sizeof ipv4.sin_addr);
        end.port = ipv4.sin_port;
    } else if (address->storage.ss_family == AF_INET6) {
        memcpy(&ipv6, &address->storage, sizeof ipv6);
        memcpy(end.number, &ipv6.sin6_addr, sizeof end.number);
        end.port = ipv6.sin6_port;
    } else if (address->storage.ss_family == AF_UNIX) {
        set_path(&end, address);
    }
    return end;
}

static bool is_mapped(const struct end *end)
{
    return memcmp(end->number, mapped, sizeof mapped) == 0;
}

static bool is_nowhere(const struct end *end)
{
    return memcmp(end->number, &in6addr_any, sizeof end->number) == 0;
}

static struct ends ends_of(const struct proxy_header *header)
{
    struct ends ends = {.source = end_of(&header->source), .destination = end_of(&header->destination)};
    if (header->kind != PROXY_GIVEN)
        return ends;
    ends.family = header->source.storage.ss_family;
    if (ends.family == AF_INET || ends.family == AF_INET6) {
        bool fits = is_mapped(&ends.destination) || is_nowhere(&ends.destination);
        ends.family = is_mapped(&ends.source) && fits ? AF_INET : AF_INET6;
    }
    return ends;
}

/* What is written of a number. */
static const unsigned char *number_of(const struct ends *ends, const struct end *end)
{
    return ends->family == AF_INET ? end->number + sizeof mapped : end->number;
}

/* ---- version 1 ------------------------------------------------------------------------------ */

static ssize_t write_v1(char *line, const struct ends *ends)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    if (ends->family != AF_INET && ends->family != AF_INET6)
        return snprintf(line, PROXY_ROOM, "PROXY UNKNOWN\r\n");
    inet_ntop(ends->family, number_of(ends, &ends->source), source, sizeof source);
    inet_ntop(ends->family, number_of(ends, &ends->destination), destination, sizeof destination);
    return snprintf(line, PROXY_ROOM, "PROXY TCP%c %s %s %u %u\r\n", ends->family == AF_INET ? '4' : '6',
                    source, destination, ntohs(ends->source.port), ntohs(ends->destination.port));
}

/* ---- version 2 ------------------------------------------------------------------------------ */

struct writer {
    unsigned char *bytes;
    size_t size;
    bool full;
};

static void put(struct writer *writer, const void *bytes, size_t size)
{
    writer->full = writer->full || size > PROXY_ROOM - writer->size;
    if (writer->full || size == 0)
        return;
    memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += size;
}

static void put_byte(struct writer *writer, unsigned byte)
{
    put(writer, &(unsigned char){(unsigned char)byte}, 1);
}

/* The length of what has been written since `start`, whose length it is. */
static void set_length(struct writer *writer, size_t start)
{
    size_t length = writer->size - start;
    if (writer->full)
        return;
    writer->bytes[start - 2] = (unsigned char)(length >> 8);
    writer->bytes[start - 1] = (unsigned char)length;
}

/* Begins a TLV whose length is to be set: where its value starts. */
static size_t begin_fact(struct writer *writer, unsigned type)
{
    put(writer, (unsigned char[WIRE_FACT_FIXED]){(unsigned char)type}, WIRE_FACT_FIXED);
    return writer->size;
}

static void put_text(struct writer *writer, unsigned type, const struct proxy_text *text)
{
    if (text->size == 0)
        return;
    size_t start = begin_fact(writer, type);
    put(writer, text->bytes, text->size);
    set_length(writer, start);
}

static void put_tls(struct writer *writer, const struct proxy_tls *tls)
{
    if (!tls->given)
        return;
    size_t start = begin_fact(writer, WIRE_TLS);
    put_byte(writer, tls->verified ? WIRE_TLS_USED | WIRE_TLS_CERTIFICATE : WIRE_TLS_USED);
    put(writer, (unsigned char[4]){[3] = !tls->verified}, 4);
    put_text(writer, WIRE_TLS_VERSION, &tls->version);
    put_text(writer, WIRE_TLS_COMMON_NAME, &tls->common_name);
    put_text(writer, WIRE_TLS_CIPHER, &tls->cipher);
    set_length(writer, start);
}

static void put_addresses(struct writer *writer, const struct ends *ends)
{
    size_t size = ends->family == AF_INET ? 4 : 16;
    if (ends->family == AF_UNIX) {
        put(writer, ends->source.path, sizeof ends->source.path);
        put(writer, ends->destination.path, sizeof ends->destination.path);
        return;
    }
    put(writer, number_of(ends, &ends->source), size);
    put(writer, number_of(ends, &ends->destination), size);
    put(writer, &ends->source.port, sizeof ends->source.port);
    put(writer, &ends->destination.port, sizeof ends->destination.port);
}

/* Last of all: the sum goes over its own place too, which is 0 meanwhile. */
static void put_sum(struct writer *writer)
{
    size_t start = begin_fact(writer, WIRE_CRC32C);
    put(writer, (unsigned char[4]){0}, 4);
    set_length(writer, start);
    set_length(writer, WIRE_FIXED);
    if (writer->full)
        return;
    uint32_t sum = htonl(crc32c(0, writer->bytes, writer->size));
    memcpy(writer->bytes + start, &sum, sizeof sum);
}

static unsigned wire_family(sa_family_t family)
{
    switch (family) {
    case AF_INET: return WIRE_IPV4 << 4 | WIRE_STREAM;
    case AF_INET6: return WIRE_IPV6 << 4 | WIRE_STREAM;
    case AF_UNIX: return WIRE_UNIX << 4 | WIRE_STREAM;
    default: return WIRE_UNSPECIFIED;
    }
}

static ssize_t write_v2(struct writer *writer, const struct proxy_header *header, const struct ends *ends)
{
    unsigned family = wire_family(ends->family);
    put(writer, wire_signature, sizeof wire_signature);
    put_byte(writer, header->kind == PROXY_LOCAL ? WIRE_LOCAL : WIRE_PROXY);
    put_byte(writer, family);
    put(writer, (unsigned char[2]){0}, 2);
    if (family == WIRE_UNSPECIFIED)
        return (ssize_t)writer->size;
    put_addresses(writer, ends);
    put_text(writer, WIRE_AUTHORITY, &header->authority);
    put_tls(writer, &header->tls);
    put_sum(writer);
    if (writer->full)
        return fail(PARLEY_USAGE, "a PROXY header longer than %d bytes", PROXY_ROOM);
    return (ssize_t)writer->size;
}

ssize_t proxy_write(unsigned char bytes[PROXY_ROOM], enum proxy_version version,
                    const struct proxy_header *header)
{
    struct ends ends = ends_of(header);
    if (version == PROXY_V1)
        return write_v1((char *)bytes, &ends);
    return write_v2(&(struct writer){.bytes = bytes}, header, &ends);
}

void proxy_of_socket(struct proxy_header *header, int fd)
{
    *header = (struct proxy_header){.kind = PROXY_GIVEN};
    header->source.length = header->destination.length = sizeof header->source.storage;
    if (getsockname(fd, (struct sockaddr *)&header->source.storage, &header->source.length) < 0 ||
        getpeername(fd, (struct sockaddr *)&header->destination.storage, &header->destination.length) < 0)
        header->kind = PROXY_UNKNOWN;
}
