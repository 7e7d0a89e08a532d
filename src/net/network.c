#include "net/network.h"
#include "base/error.h"
#include "base/sys.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = IPV6_BITS - IPV4_BITS };

static const unsigned char mapped_prefix[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

static bool is_mapped(const unsigned char bytes[16])
{
    return memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

static unsigned bits_of(sa_family_t family)
{
    return family == AF_INET ? IPV4_BITS : IPV6_BITS;
}

/* ---- parsing -------------------------------------------------------------------------------- */

static int refuse(const char *text, const char *why)
{
    return fail(PARLEY_USAGE, "network \"%.80s\": %s", text, why);
}

static int parse_address(struct network *network, const char *text, const char *number)
{
    network->family = strchr(number, ':') ? AF_INET6 : AF_INET;
    network->bits = (unsigned char)bits_of(network->family);
    if (inet_pton(network->family, number, network->bytes) == 1)
        return 0;
    return refuse(text, "not an address (write 10.0.0.0/8, 2001:db8::/32, ::1 or unix)");
}

static int parse_prefix(struct network *network, const char *text, const char *prefix)
{
    size_t digits = strspn(prefix, "0123456789");
    bool is_number = digits > 0 && digits <= 3 && prefix[digits] == '\0' && (*prefix != '0' || digits == 1);
    unsigned long bits = is_number ? strtoul(prefix, NULL, 10) : IPV6_BITS + 1;
    if (bits > network->bits)
        return refuse(text, network->family == AF_INET ? "a prefix of IPv4 is a number, 0 to 32"
                                                       : "a prefix of IPv6 is a number, 0 to 128");
    network->bits = (unsigned char)bits;
    return 0;
}

/* Clears what is behind the prefix; whether there was anything. */
static bool clear_host_bits(struct network *network)
{
    struct network whole = *network;
    for (unsigned bit = network->bits; bit < bits_of(network->family); bit++)
        network->bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
    return memcmp(whole.bytes, network->bytes, sizeof whole.bytes) != 0;
}

static void unmap(struct network *network)
{
    if (network->family != AF_INET6 || network->bits < MAPPED_BITS || !is_mapped(network->bytes))
        return;
    network->family = AF_INET;
    network->bits -= MAPPED_BITS;
    memmove(network->bytes, network->bytes + sizeof mapped_prefix, 4);
    memset(network->bytes + 4, 0, sizeof network->bytes - 4);
}

static int parse_inet(struct network *network, const char *text)
{
    char number[INET6_ADDRSTRLEN], right[NETWORK_TEXT];
    size_t length = strcspn(text, "/");
    if (length >= sizeof number)
        return refuse(text, "not an address (write 10.0.0.0/8, 2001:db8::/32, ::1 or unix)");
    memcpy(number, text, length);
    number[length] = '\0';
    int status = parse_address(network, text, number);
    if (status == 0 && text[length] == '/')
        status = parse_prefix(network, text, text + length + 1);
    if (status < 0)
        return status;
    if (clear_host_bits(network))
        return fail(PARLEY_USAGE, "network \"%s\": it has bits set behind its prefix (write %s, or %s alone)",
                    text, network_text(network, right), number);
    unmap(network);
    return 0;
}

int network_parse(struct network *network, const char *text)
{
    *network = (struct network){.family = AF_UNIX};
    return strcmp(text, "unix") == 0 ? 0 : parse_inet(network, text);
}

const char *network_text(const struct network *network, char text[NETWORK_TEXT])
{
    char number[INET6_ADDRSTRLEN] = "unix";
    bool is_unix = network->family == AF_UNIX;
    if (!is_unix)
        inet_ntop(network->family, network->bytes, number, sizeof number);
    if (is_unix || network->bits == bits_of(network->family))
        snprintf(text, NETWORK_TEXT, "%s", number);
    else
        snprintf(text, NETWORK_TEXT, "%s/%u", number, network->bits);
    return text;
}

/* ---- matching ------------------------------------------------------------------------------- */

struct network network_of(const struct sockaddr *address)
{
    struct network network = {.family = address->sa_family};
    const char *bytes = (const char *)address;
    if (network.family == AF_INET)
        memcpy(network.bytes, bytes + offsetof(struct sockaddr_in, sin_addr), 4);
    if (network.family == AF_INET6)
        memcpy(network.bytes, bytes + offsetof(struct sockaddr_in6, sin6_addr), 16);
    network.bits = (unsigned char)bits_of(network.family);
    unmap(&network);
    return network;
}

static bool shares_prefix(const unsigned char *one, const unsigned char *other, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(one, other, whole) != 0)
        return false;
    return rest == 0 || (one[whole] ^ other[whole]) >> (8 - rest) == 0;
}

bool network_within(const struct network *inner, const struct network *outer)
{
    return inner->family == outer->family && inner->bits >= outer->bits &&
           shares_prefix(inner->bytes, outer->bytes, outer->bits);
}

bool network_holds(const struct network *network, const struct sockaddr *address)
{
    struct network other = network_of(address);
    return network_within(&other, network);
}

int network_compare(const struct network *one, const struct network *other)
{
    if (one->family != other->family)
        return one->family < other->family ? -1 : 1;
    int order = memcmp(one->bytes, other->bytes, sizeof one->bytes);
    return order != 0 ? order : one->bits - other->bits;
}

void network_widen(struct network *network, unsigned bits)
{
    if (network->bits <= bits)
        return;
    network->bits = (unsigned char)bits;
    clear_host_bits(network);
}

/* ---- lists ---------------------------------------------------------------------------------- */

static int append(struct network_list *list, const struct network *network)
{
    struct network *items = sys.realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return fail(PARLEY_RESOURCE, "no memory for a list of networks");
    list->items = items;
    items[list->count++] = *network;
    return 0;
}

static int append_text(struct network_list *list, const char *start, size_t length)
{
    char text[128];
    struct network network;
    while (length > 0 && strchr(" \t", *start))
        start++, length--;
    while (length > 0 && strchr(" \t", start[length - 1]))
        length--;
    if (length >= sizeof text)
        return refuse(start, "too long for a network (commas separate several)");
    memcpy(text, start, length);
    text[length] = '\0';
    int status = network_parse(&network, text);
    return status == 0 ? append(list, &network) : status;
}

int network_list_add(struct network_list *list, const char *text)
{
    size_t before = list->count;
    for (;;) {
        size_t length = strcspn(text, ",");
        int status = append_text(list, text, length);
        if (status < 0) {
            list->count = before;
            return status;
        }
        if (text[length] == '\0')
            return 0;
        text += length + 1;
    }
}

const struct network *network_list_find(const struct network_list *list, const struct sockaddr *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (network_holds(&list->items[i], address))
            return &list->items[i];
    return NULL;
}

void network_list_free(struct network_list *list)
{
    sys.free(list->items);
    *list = (struct network_list){0};
}
