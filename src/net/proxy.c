/* Which version it is, and version 1: a line such as "PROXY TCP4 10.0.0.1 10.0.0.2 40000 80\r\n". */
#include "net/proxy.h"
#include "base/error.h"
#include "net/proxy_wire.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* With its CR LF. */
enum { LONGEST_LINE = 107 };

static const char line_start[] = "PROXY ";

ssize_t proxy_refuse(const char *why)
{
    return fail(PARLEY_NETWORK, "PROXY header: %s", why);
}

static int starts(const void *bytes, size_t size, const void *start, size_t length)
{
    if (memcmp(bytes, start, size < length ? size : length) != 0)
        return -1;
    return size >= length;
}

int proxy_begins(const void *bytes, size_t size)
{
    int line = starts(bytes, size, line_start, sizeof line_start - 1);
    return line >= 0 ? line : starts(bytes, size, wire_signature, WIRE_SIGNATURE);
}

/* Length of the line, or 0 while it is not whole. */
static ssize_t line_length(const char *bytes, size_t size)
{
    size_t most = size < LONGEST_LINE ? size : LONGEST_LINE;
    for (size_t i = 0; i < most; i++) {
        if (bytes[i] == '\n')
            return proxy_refuse("a line feed without a carriage return");
        if (bytes[i] != '\r' || i + 1 == most)
            continue;
        if (bytes[i + 1] != '\n')
            return proxy_refuse("a carriage return without a line feed");
        return (ssize_t)i + 2;
    }
    return size < LONGEST_LINE ? 0 : proxy_refuse("a line longer than 107 bytes");
}

/* ---- the fields of the line ------------------------------------------------------------------ */

static int read_port(const char *text, in_port_t *port)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;
    bool is_number = digits > 0 && digits <= 5 && text[digits] == '\0' && (*text != '0' || digits == 1);
    unsigned long number = is_number ? strtoul(text, NULL, 10) : UINT16_MAX + 1;
    if (number > UINT16_MAX)
        return (int)proxy_refuse("a port is a decimal number, 0 to 65535");
    *port = htons((uint16_t)number);
    return 0;
}

static int read_address(struct address *address, const char *text, const char *port)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    bool is_ipv4 = address->storage.ss_family == AF_INET;
    void *number = is_ipv4 ? (void *)&ipv4.sin_addr : (void *)&ipv6.sin6_addr;
    if (!text || inet_pton(is_ipv4 ? AF_INET : AF_INET6, text, number) != 1)
        return (int)proxy_refuse(is_ipv4 ? "TCP4 without two IPv4 addresses"
                                         : "TCP6 without two IPv6 addresses");
    int status = read_port(port, is_ipv4 ? &ipv4.sin_port : &ipv6.sin6_port);
    if (status < 0)
        return status;
    address->length = is_ipv4 ? sizeof ipv4 : sizeof ipv6;
    memcpy(&address->storage, is_ipv4 ? (void *)&ipv4 : (void *)&ipv6, address->length);
    return 0;
}

static int read_addresses(struct proxy_header *header, sa_family_t family, char *fields)
{
    const char *source = strsep(&fields, " "), *destination = strsep(&fields, " ");
    const char *source_port = strsep(&fields, " "), *destination_port = strsep(&fields, " ");
    header->kind = PROXY_GIVEN;
    header->source.storage.ss_family = header->destination.storage.ss_family = family;
    int status = read_address(&header->source, source, source_port);
    if (status == 0)
        status = read_address(&header->destination, destination, destination_port);
    if (status == 0 && fields)
        status = (int)proxy_refuse("more behind the second port");
    return status;
}

static int read_line(struct proxy_header *header, char *fields)
{
    const char *protocol = strsep(&fields, " ");
    if (strcmp(protocol, "TCP4") == 0)
        return read_addresses(header, AF_INET, fields);
    if (strcmp(protocol, "TCP6") == 0)
        return read_addresses(header, AF_INET6, fields);
    if (strcmp(protocol, "UNKNOWN") != 0)
        return (int)proxy_refuse("its protocol is none of TCP4, TCP6, UNKNOWN");
    header->kind = PROXY_UNKNOWN; /* and what follows is to be ignored */
    return 0;
}

static ssize_t read_v1(const char *bytes, size_t size, struct proxy_header *header)
{
    char line[LONGEST_LINE];
    ssize_t length = line_length(bytes, size);
    if (length <= 0)
        return length;
    size_t end = (size_t)length - 2;
    memcpy(line, bytes, end);
    line[end] = '\0';
    if (strlen(line) != end)
        return proxy_refuse("a NUL inside the line");
    int status = read_line(header, line + sizeof line_start - 1);
    return status < 0 ? status : length;
}

ssize_t proxy_read(const void *bytes, size_t size, struct proxy_header *header)
{
    *header = (struct proxy_header){0};
    int begins = proxy_begins(bytes, size);
    if (begins < 0)
        return proxy_refuse("the bytes are none (a header was expected)");
    if (begins == 0)
        return 0;
    return *(const char *)bytes == *line_start ? read_v1(bytes, size, header)
                                               : proxy_read_v2(bytes, size, header);
}
