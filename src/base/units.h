/* Times, sizes and counts as users write them: the same everywhere, and independent of the locale. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdint.h>

/* Each returns 0, or PARLEY_USAGE with a sentence that says what was wrong and what would be right. What
 * does not fit is refused, never cut. Decimal fractions ("1.5s") are exact. */

/* "30s", "500ms", "250us" or "250µs", "1m", "2h"; a bare number is seconds. Milliseconds, rounded up, so that
 * a short time never becomes 0, which means none. Small enough to be added to any clock. */
int parse_time(const char *text, int64_t *ms);

/* The same, "800ns" too, in nanoseconds, and exact: for what is measured. A fraction of one is refused. */
int parse_nanoseconds(const char *text, int64_t *ns);

/* "512", "64KiB", "1MiB", "2GiB", "1TiB"; a bare number is bytes. */
int parse_size(const char *text, uint64_t *bytes);

/* "1000", "10k", "2M", "1G", in thousands. */
int parse_count(const char *text, uint64_t *count);

#endif
