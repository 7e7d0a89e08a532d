/* How a program ended, as a line of the log. */
#ifndef EXEC_REPORT_H
#define EXEC_REPORT_H

#include <sys/resource.h>
#include <sys/types.h>

#include "base/log.h"

/* "process 12 ended with exit code 0 after 1.204 s: 0.011 s user, 0.003 s system, 3.5 MiB". `status` and
 * `usage` are wait4(2)'s, `time` is ms. */
void report_exit(struct log *log, const char *peer, pid_t pid, int status, const struct rusage *usage,
                 int64_t time);

#endif
