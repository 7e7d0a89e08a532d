#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { HOST_MAX = 253, LABEL_MAX = 63, PORT_DIGITS = 5, PORT_MAX = 65535 };

static int refuse(const char *text, const char *why)
{
    /* What was typed may be long; its start is enough to recognise it. */
    const char *rest = strnlen(text, 81) > 80 ? "..." : "";

    return fail(PARLEY_USAGE, "address \"%.80s%s\": %s", text, rest, why);
}

/* The C locale's classes, whatever setlocale(3) says. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool all_digits(const char *text)
{
    size_t count = 0;

    while (is_digit(text[count]))
        count++;
    return count > 0 && text[count] == '\0';
}

/* ---- the parts ------------------------------------------------------------------------------ */

static const char *check_port_number(const char *port)
{
    if (strlen(port) > PORT_DIGITS || strtol(port, NULL, 10) > PORT_MAX)
        return "a port is at most 65535";
    return NULL;
}

/* A number, or a name as /etc/services has them. */
static const char *check_port(const char *port)
{
    bool has_letter = false;

    if (*port == '\0')
        return "the port is missing (write host:port)";
    if (all_digits(port))
        return check_port_number(port);
    for (const char *c = port; *c != '\0'; c++) {
        has_letter |= is_letter(*c);
        if (!is_letter(*c) && !is_digit(*c) && (c == port || strchr("-_.+", *c) == NULL))
            return "the port is neither a number nor a service's name";
    }
    return has_letter ? NULL : "the port is neither a number nor a service's name";
}

/* A zone names an interface, and only link-local addresses need one: fe80::1%eth0. */
static const char *check_ipv6(const char *host)
{
    const char *zone = strchr(host, '%');
    size_t length = zone != NULL ? (size_t)(zone - host) : strlen(host);
    char number[INET6_ADDRSTRLEN];
    struct in6_addr address;
    bool local;

    if (length >= sizeof number)
        return "not an IPv6 address";
    memcpy(number, host, length);
    number[length] = '\0';
    if (inet_pton(AF_INET6, number, &address) != 1)
        return "not an IPv6 address";
    local = IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_MC_LINKLOCAL(&address);
    if (zone == NULL)
        return local ? "a link-local address needs its interface ([fe80::1%eth0]:3000)" : NULL;
    if (!local)
        return "only a link-local address takes a %zone";
    if (zone[1] == '\0' || strlen(zone + 1) >= IF_NAMESIZE || strpbrk(zone + 1, "%/ ") != NULL)
        return "the %zone is not an interface's name";
    return NULL;
}

/* "127.1", "0x7f.1" and "010.0.0.1" mean different things to different programs. */
static const char *check_ipv4(const char *host)
{
    struct in_addr address;

    return inet_pton(AF_INET, host, &address) == 1 ? NULL : "not an IPv4 address (four numbers, 0 to 255)";
}

/* Letters, digits, '-' and '_' in labels of 1 to 63; the final dot of an absolute name is allowed. */
static const char *check_labels(const char *host)
{
    size_t label = 0;

    for (const char *c = host; *c != '\0'; c++) {
        if (*c == '.') {
            if (label == 0)
                return "a host name has an empty label";
            label = 0;
            continue;
        }
        if ((unsigned char)*c >= 0x80)
            return "a host name is ASCII (write the xn-- form)";
        if (!is_letter(*c) && !is_digit(*c) && (*c != '-' || label == 0) && *c != '_')
            return "a host name holds letters, digits, '-', '_' and '.' (write host:port)";
        if (++label > LABEL_MAX)
            return "a part of a host name is at most 63 bytes";
    }
    return NULL;
}

/* As URLs have it: a host whose last label starts like a number must be an IPv4 address. */
static bool looks_like_ipv4(const char *host)
{
    size_t length = strlen(host);
    const char *last;

    if (length > 0 && host[length - 1] == '.')
        length--;
    last = memrchr(host, '.', length);
    last = last != NULL ? last + 1 : host;
    length -= (size_t)(last - host);
    return length > 0 &&
           (strspn(last, "0123456789") == length || (last[0] == '0' && (last[1] | 0x20) == 'x'));
}

static const char *check_host(const char *host)
{
    size_t length = strlen(host);

    if (strchr(host, ':') != NULL)
        return check_ipv6(host);
    if (length > 0 && host[length - 1] == '.')
        length--;
    if (length > HOST_MAX)
        return "a host name is at most 253 bytes";
    return looks_like_ipv4(host) ? check_ipv4(host) : check_labels(host);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Stores both parts, refusing what does not fit before anything is cut short. */
static int set_inet(struct endpoint *endpoint, const char *text, const char *host, size_t length,
                    const char *port)
{
    const char *wrong;

    if (length >= sizeof endpoint->host)
        return refuse(text, "a host name is at most 253 bytes");
    if (strlen(port) >= sizeof endpoint->port)
        return refuse(text, "the port is neither a number nor a service's name");
    memcpy(endpoint->host, host, length);
    endpoint->host[length] = '\0';
    memcpy(endpoint->port, port, strlen(port) + 1);
    wrong = check_port(port);
    if (wrong == NULL)
        wrong = check_host(endpoint->host);
    return wrong == NULL ? 0 : refuse(text, wrong);
}

static int parse_bracketed(struct endpoint *endpoint, const char *text)
{
    const char *end = strchr(text, ']');
    const char *port;

    if (end == NULL)
        return refuse(text, "the ']' is missing (write [::1]:3000)");
    if (memchr(text, ':', (size_t)(end - text)) == NULL)
        return refuse(text, "brackets hold an IPv6 address ([::1]:3000)");
    port = end + 1;
    if (*port == '\0')
        return refuse(text, "the port is missing (write [::1]:3000)");
    if (*port != ':' && !is_space(*port))
        return refuse(text, "a port follows the ']' (write [::1]:3000)");
    port += strspn(port, *port == ':' ? ":" : " \t");
    return set_inet(endpoint, text, text + 1, (size_t)(end - text - 1), port);
}

static int parse_inet(struct endpoint *endpoint, const char *text)
{
    size_t host = strcspn(text, " \t");
    const char *colon = strchr(text, ':');

    if (text[0] == '[')
        return parse_bracketed(endpoint, text);
    if (text[host] != '\0')
        return set_inet(endpoint, text, text, host, text + host + strspn(text + host, " \t"));
    if (colon == NULL && all_digits(text))
        return set_inet(endpoint, text, text, 0, text);
    if (colon == NULL)
        return refuse(text, "the port is missing (write host:port)");
    if (strchr(colon + 1, ':') != NULL)
        return refuse(text, "an IPv6 address is written in brackets ([::1]:3000)");
    return set_inet(endpoint, text, text, (size_t)(colon - text), colon + 1);
}

/* The kernel takes 107 bytes of path before its NUL, or 107 of an abstract name after its own. */
static int parse_path(struct endpoint *endpoint, const char *text, const char *path)
{
    if (*path == '\0')
        return refuse(text, "the name of the unix socket is missing");
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return refuse(text, "a unix socket's name is at most 107 bytes");
    memcpy(endpoint->path, path, strlen(path) + 1);
    return 0;
}

int endpoint_parse(struct endpoint *endpoint, const char *text)
{
    memset(endpoint, 0, sizeof *endpoint);
    if (strncmp(text, "unix:", 5) == 0) {
        endpoint->kind = ENDPOINT_UNIX;
        return parse_path(endpoint, text, text + 5);
    }
    if (text[0] == '@') {
        endpoint->kind = ENDPOINT_ABSTRACT;
        return parse_path(endpoint, text, text + 1);
    }
    if (text[0] == '\0')
        return refuse(text, "it is empty (write host:port)");
    if (text[0] == '/')
        return refuse(text, "a unix socket is written unix:/path");
    endpoint->kind = ENDPOINT_INET;
    return parse_inet(endpoint, text);
}
