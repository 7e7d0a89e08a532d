/* Networks as users write them, "10.0.0.0/8", and whether an address is in one. */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* AF_INET and AF_INET6: the addresses whose first `bits` are those of `bytes`. AF_UNIX: every unix peer. */
struct network {
    sa_family_t family;
    unsigned char bits;
    unsigned char bytes[16];
};

/* In the order given. All zero is an empty list, which holds nobody. */
struct network_list {
    size_t count;
    struct network *items; /* sys.realloc; free with network_list_free() */
};

/* Long enough for an IPv6 address and "/128". */
enum { NETWORK_TEXT = 64 };

/* Parses "10.0.0.0/8", "2001:db8::/32", one address ("::1", "127.0.0.1"), or "unix". An IPv4-mapped network
 * ("::ffff:10.0.0.0/104") is the IPv4 one. 0, or PARLEY_USAGE with a sentence that says what would be right:
 * set bits behind the prefix are refused, as one of the two must be a mistake. */
int network_parse(struct network *network, const char *text);

/* Whether the address, of any family, is in the network. An IPv4-mapped address is an IPv4 one: it is in
 * 0.0.0.0/0 and never in ::/0. `address` has the size of its family. */
bool network_holds(const struct network *network, const struct sockaddr *address);

/* The address as a network of its own, with every bit; of another family it holds nobody. */
struct network network_of(const struct sockaddr *address);

/* Whether all of `inner` is in `outer`. */
bool network_within(const struct network *inner, const struct network *outer);

/* <0, 0, >0: by family, then by address; where two begin alike the wider one is first. */
int network_compare(const struct network *one, const struct network *other);

/* Makes it wider: at most so many bits. */
void network_widen(struct network *network, unsigned bits);

/* "10.0.0.0/8", "::1", "unix". Returns `text`. */
const char *network_text(const struct network *network, char text[NETWORK_TEXT]);

/* Appends networks that commas separate, blanks around them allowed. 0, or a parley_status with its sentence;
 * the list is then as it was. */
int network_list_add(struct network_list *list, const char *text);

/* The first that holds the address, or NULL: none does. */
const struct network *network_list_find(const struct network_list *list, const struct sockaddr *address);

void network_list_free(struct network_list *list);

#endif
