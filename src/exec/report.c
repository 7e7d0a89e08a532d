#include "exec/report.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "ended with exit code %d", WEXITSTATUS(status));
}

void report_exit(struct log *log, const char *peer, pid_t pid, int status, const struct rusage *usage,
                 int64_t time)
{
    char how[64];

    describe(status, how, sizeof how);
    log_line(log, LOG_HANDLER, peer, "process %d %s after %.3f s: %.3f s user, %.3f s system, %.1f MiB",
             (int)pid, how, (double)time / 1000, seconds_of(usage->ru_utime), seconds_of(usage->ru_stime),
             (double)usage->ru_maxrss / 1024);
}
