/* What our filters have in common, and how they get into the kernel. */
#ifndef SANDBOX_FILTER_LOAD_H
#define SANDBOX_FILTER_LOAD_H

#include <seccomp.h>
#include <stdint.h>

/* The mask of an argument that is an int. The kernel passes over the upper half, so a comparison of all 64
 * bits would let through what differs only there. */
#define WHOLE UINT32_MAX

/* 0, or an errno value below 0, as libseccomp says it. */
int filter_prepare(scmp_filter_ctx filter);
/* A rule for signals to threads of this process (SCMP_CMP_EQ) or of another one (SCMP_CMP_NE); so too. */
int filter_own_threads(scmp_filter_ctx filter, uint32_t action, enum scmp_compare compare);
/* Loads it, unless `result` is such an error already, and frees it: `result`, or a parley_status. */
int filter_load(scmp_filter_ctx filter, int result);

#endif
