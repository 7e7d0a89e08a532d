/* Capabilities, and the promise never to gain any: capabilities(7), PR_SET_NO_NEW_PRIVS. */
#ifndef SANDBOX_CAPABILITIES_H
#define SANDBOX_CAPABILITIES_H

#include <stdint.h>

/* A set of capabilities, a bit for each CAP_ of <linux/capability.h>. */
#define CAPABILITY(number) (UINT64_C(1) << (number))

/* No program that is started later can have more than `keep`: the bounding set. Before the user changes,
 * since it takes a capability itself; where there is none to take it is nothing to worry about. 0 or a
 * parley_status. */
int capabilities_bound(uint64_t keep);

/* Gives up all others, effective, permitted, inheritable and ambient; of `keep` what the process has stays.
 * 0 or a parley_status. */
int capabilities_drop(uint64_t keep);

/* Neither set-user-ID programs nor file capabilities will add any; needed by filters too. */
int capabilities_never_gain(void);

#endif
