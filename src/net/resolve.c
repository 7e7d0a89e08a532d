#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/sys.h"
#include <stdio.h>

void address_list_free(struct address_list *list)
{
    sys.free(list->items);
    list->items = NULL;
    list->count = 0;
}

/* ---- failures ------------------------------------------------------------------------------- */

/* Our own words, since gai_strerror(3) translates. */
static const char *lookup_reason(int code)
{
    switch (code) {
    case EAI_NONAME: return "name or service not known";
    case EAI_NODATA:
    case EAI_ADDRFAMILY: return "the name has no address of this family";
    case EAI_AGAIN: return "temporary failure in name resolution (no name server answered)";
    case EAI_FAIL: return "the name server failed";
    case EAI_FAMILY: return "address family not supported";
    case EAI_MEMORY: return "cannot allocate memory";
    default: return "name resolution failed";
    }
}

static int fail_lookup(const struct endpoint *endpoint, int code, int error)
{
    const char *what = endpoint->host[0] != '\0' ? endpoint->host : endpoint->port;

    if (code == EAI_SYSTEM)
        return fail_call("resolve", what, error);
    if (code == EAI_NONAME && strchr(endpoint->host, '%') != NULL)
        return fail(PARLEY_USAGE, "resolve %s: no interface has the name after the '%%'", what);
    if (code == EAI_SERVICE)
        return fail(PARLEY_USAGE, "port \"%s\" is neither a number nor a service name (see /etc/services)",
                    endpoint->port);
    return fail(code == EAI_MEMORY ? PARLEY_RESOURCE : PARLEY_NETWORK, "resolve %s: %s", what,
                lookup_reason(code));
}

/* ---- unix sockets --------------------------------------------------------------------------- */

static int resolve_unix(const struct endpoint *endpoint, struct address_list *list)
{
    struct sockaddr_un *address;
    size_t length = strlen(endpoint->path);
    bool abstract = endpoint->kind == ENDPOINT_ABSTRACT;

    list->items = sys.calloc(1, sizeof *list->items);
    if (list->items == NULL)
        return fail_call("resolve", endpoint->path, ENOMEM);
    address = (struct sockaddr_un *)&list->items->storage;
    address->sun_family = AF_UNIX;
    /* An abstract name begins with a NUL and ends with the length; a path ends with a NUL. */
    memcpy(address->sun_path + abstract, endpoint->path, length);
    list->items->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    list->count = 1;
    return 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool contains(const struct address_list *list, const struct addrinfo *info)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].length == info->ai_addrlen &&
            memcmp(&list->items[i].storage, info->ai_addr, info->ai_addrlen) == 0)
            return true;
    return false;
}

static void append(struct address_list *list, const struct addrinfo *info)
{
    struct address *item;

    if (info->ai_addrlen > sizeof item->storage || contains(list, info))
        return;
    item = &list->items[list->count++];
    item->length = info->ai_addrlen;
    memcpy(&item->storage, info->ai_addr, info->ai_addrlen);
}

/* The next entry of the wanted kind: of `family`, or of any other. */
static const struct addrinfo *seek(const struct addrinfo *info, int family, bool same)
{
    while (info != NULL && (info->ai_family == family) != same)
        info = info->ai_next;
    return info;
}

/* RFC 8305 section 4: the system's order, but alternating between its first family and the other, so that
 * one dead family costs one attempt and not all of them. */
static int interleave(const struct addrinfo *found, struct address_list *list)
{
    size_t count = 0;
    int family = found->ai_family;
    const struct addrinfo *preferred = found;
    const struct addrinfo *other = seek(found, family, false);

    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next)
        count++;
    list->items = sys.calloc(count, sizeof *list->items);
    if (list->items == NULL)
        return EAI_MEMORY;
    while (preferred != NULL || other != NULL) {
        if (preferred != NULL) {
            append(list, preferred);
            preferred = seek(preferred->ai_next, family, true);
        }
        if (other != NULL) {
            append(list, other);
            other = seek(other->ai_next, family, false);
        }
    }
    return 0;
}

/* Only the kernel knows: the C library lists [::] even where IPv6 was left out of the boot. */
static bool machine_has_ipv6(void)
{
    sys_untold = true;
    int fd = sys.socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 || errno != EAFNOSUPPORT;

    if (fd >= 0)
        sys.close(fd);
    sys_untold = false;
    return has;
}

static const char *wildcard(int family)
{
    if (family == AF_UNSPEC)
        family = machine_has_ipv6() ? AF_INET6 : AF_INET;
    return family == AF_INET6 ? "::" : "0.0.0.0";
}

/* RFC 6761 section 6.3: localhost is this machine, both families, and is never asked of a name server. */
static bool is_localhost(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0;
}

static const char *name_of(const struct endpoint *endpoint, int family, bool passive)
{
    if (endpoint->host[0] == '\0' && passive)
        return wildcard(family);
    /* Without a name and without AI_PASSIVE, getaddrinfo(3) gives the loopback addresses. */
    return endpoint->host[0] == '\0' || is_localhost(endpoint->host) ? NULL : endpoint->host;
}

int endpoint_family(const struct endpoint *endpoint)
{
    struct in_addr ipv4;

    if (strchr(endpoint->host, ':') != NULL)
        return AF_INET6;
    return inet_pton(AF_INET, endpoint->host, &ipv4) == 1 ? AF_INET : AF_UNSPEC;
}

/* The C library says of such a number that the name has no address. */
static int check_family(const struct endpoint *endpoint, int family)
{
    const int own = endpoint_family(endpoint);
    const int other = own == AF_INET ? 6 : 4;

    if (own == AF_UNSPEC || family == AF_UNSPEC || own == family)
        return 0;
    return fail(PARLEY_USAGE,
                "resolve %s: an IPv%d address, and -%d asks for IPv%d alone: leave -%d out, or give an IPv%d "
                "address",
                endpoint->host, 10 - other, other, other, other, other);
}

bool resolve_number(const struct endpoint *endpoint, int family, struct address *address)
{
    struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct address_list list;

    if (endpoint->kind != ENDPOINT_INET) {
        if (resolve_unix(endpoint, &list) < 0)
            return false;
        *address = list.items[0];
        address_list_free(&list);
        return true;
    }
    if (endpoint->host[0] == '\0' || getaddrinfo(endpoint->host, endpoint->port, &hints, &found) != 0)
        return false;
    address->length = found->ai_addrlen;
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

int resolve_literal(const char *text, struct address *address)
{
    char with_port[512];
    struct endpoint endpoint;

    snprintf(with_port, sizeof with_port, "%.300s 0", text);
    if ((endpoint_parse(&endpoint, text) == 0 || endpoint_parse(&endpoint, with_port) == 0) &&
        resolve_number(&endpoint, AF_UNSPEC, address))
        return 0;
    return fail(PARLEY_USAGE, "address \"%.80s\": not in numbers (write 192.0.2.1, [::1]:80 or unix:/path)",
                text);
}

int resolve(const struct endpoint *endpoint, int family, bool passive, struct address_list *list)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code;

    list->items = NULL;
    list->count = 0;
    if (endpoint->kind != ENDPOINT_INET)
        return resolve_unix(endpoint, list);
    code = check_family(endpoint, family);
    if (code != 0)
        return code;
    do {
        code = getaddrinfo(name_of(endpoint, family, passive), endpoint->port, &hints, &found);
    } while (code == EAI_SYSTEM && errno == EINTR);
    if (code != 0)
        return fail_lookup(endpoint, code, errno);
    code = interleave(found, list);
    freeaddrinfo(found);
    return code == 0 ? 0 : fail_lookup(endpoint, code, errno);
}
