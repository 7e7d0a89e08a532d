#include "command/interrupt.h"
#include "option/complain.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t taken(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&set, numbers[i]);
    return set;
}

int interrupt_open(void)
{
    sigset_t set = taken();
    ignore_signal(SIGPIPE);
    ignore_signal(SIGXFSZ);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int interrupt_take(int descriptor)
{
    struct signalfd_siginfo information;
    ssize_t size = read(descriptor, &information, sizeof information);
    return size == (ssize_t)sizeof information ? (int)information.ssi_signo : 0;
}

void interrupt_close(int descriptor)
{
    sigset_t set = taken();
    close(descriptor);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
