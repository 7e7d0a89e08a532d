/* What a load was and where it ran, in words. */
#ifndef LOAD_SURROUNDINGS_H
#define LOAD_SURROUNDINGS_H

/* "closed loop", "closed loop, depth 32", "open loop at 50 k/s", "churn at 1.5 k/s": allocated, NULL without
 * memory. The kind is "closed loop", "open loop" or "churn"; a rate of 0 is none. */
char *load_mode(const char *kind, double rate, unsigned depth);

#endif
