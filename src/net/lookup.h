/* resolve() that keeps a deadline. */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "net/patience.h"
#include "net/resolve.h"

/* Whether the host is a name that may have to be asked for, and so may take time. */
bool endpoint_needs_lookup(const struct endpoint *endpoint);

/* As resolve(), not passive. Where a name must be asked for and a deadline or a cancellation kept, a
 * thread of its own asks: getaddrinfo(3) cannot be interrupted. A thread that does not answer in time is
 * left behind with what it holds, which the last of the two to let go frees; at most 32 of them, then new
 * look-ups are refused with PARLEY_RESOURCE. */
int lookup(const struct endpoint *endpoint, int family, const struct patience *patience,
           struct address_list *list);

#endif
