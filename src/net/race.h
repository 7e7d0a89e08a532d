/* Happy eyeballs: connects to the first of several addresses that answers (RFC 8305 section 5). */
#ifndef NET_RACE_H
#define NET_RACE_H

#include "net/dial.h"
#include "net/patience.h"

struct course {
    const struct dial_options *options; /* `socket` is not NULL here */
    const struct address_list *local;   /* to bind to, by family; empty: any */
    const struct patience *patience;
    const char *target; /* what the user wrote, for sentences */
};

/* A connected, blocking descriptor with its peer in `*reached`, or a parley_status. All other attempts
 * are closed. `addresses` are tried in their order and are at least one. */
int race(const struct course *course, const struct address_list *addresses, struct address *reached);

#endif
