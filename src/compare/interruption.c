#include "compare/interruption.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const int numbers[] = {SIGINT, SIGTERM};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static volatile sig_atomic_t taken;
static volatile sig_atomic_t event = -1;
static struct sigaction before[NUMBERS];

static void take(int number)
{
    int error = errno;
    uint64_t one = 1;
    taken = number;
    if (write(event, &one, sizeof one) < 0)
        taken = number; /* nobody waits then, and it is noted */
    errno = error;
}

int interruption_open(void)
{
    struct sigaction action = {.sa_handler = take, .sa_flags = SA_RESTART};
    taken = 0;
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return -1;
    for (size_t i = 0; i < NUMBERS; i++)
        sigaction(numbers[i], &action, &before[i]);
    return event;
}

int interruption_taken(void)
{
    return taken;
}

void interruption_note(int signal)
{
    if (signal > 0)
        taken = signal;
}

void interruption_close(void)
{
    for (size_t i = 0; i < NUMBERS && event >= 0; i++)
        sigaction(numbers[i], &before[i], NULL);
    if (event >= 0)
        close(event);
    event = -1;
}
