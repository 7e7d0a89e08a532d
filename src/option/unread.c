/* Standard output whose reader has gone, as head(1) does when it has seen enough. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "option/complain.h"

void ignore_signal(int number)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(number, &ignore, NULL);
}

/* A buffer may have been written long ago, and errno be another's by now: the pipe is asked, too. */
static bool has_no_reader(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    return errno == EPIPE || (poll(&out, 1, 0) == 1 && out.revents & POLLERR);
}

int complain_unwritten(const struct subcommand *subcommand)
{
    const int error = errno;

    if (has_no_reader())
        return EXIT_UNREAD;
    errno = error;
    return complain_call(subcommand, "write", "standard output");
}

int worse_of(int one, int other)
{
    if (one == 0 || one == EXIT_UNREAD)
        return other ? other : one;
    return other == EXIT_UNREAD || other < one ? one : other;
}
