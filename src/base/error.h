/* Failures as a code and a sentence. The sentence is kept per thread: parley_error(). */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <parley.h>

/* Records the sentence and returns `status`, so that `return fail(…)` reads as one thought. */
int fail(parley_status status, const char *format, ...) PARLEY_PRINTF(2, 3);

/* The sentence for a failed system call: "CALL ADDRESS: reason (hint)"; `address` may be NULL. The
 * status follows from `error` (an errno value): EACCES, EMFILE, ENOMEM are ours, the rest the network's. */
int fail_call(const char *call, const char *address, int error);

/* The reason alone, in lower case, with the hint that helps: "permission denied (…)". Static or
 * thread-local text. */
const char *reason_of(const char *call, int error);

#endif
