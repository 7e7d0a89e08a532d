/* Turns the narration on, and narrates what makes workers. */
#include "explain/explain.h"

#include <errno.h>
#include <stdio.h>

#include "explain/narration.h"

static pid_t explain_fork(void)
{
    struct narration narration;
    pid_t pid = plain_sys.fork();

    narration_begin(&narration, "fork");
    narration_call(&narration, "()");
    if (pid >= 0)
        descriptors_copied(pid == 0);
    if (pid == 0) {
        narration_mean(&narration,
                       "the same call returns here too: in the child, a copy of the whole process");
    } else if (pid > 0) {
        narration_mean(&narration, "called once, returns twice: here in the parent, with the child's number");
    }
    narration_say(&narration, pid);
    return pid;
}

/* Returns its error instead of setting errno. */
static int explain_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                                  void *argument)
{
    struct narration narration;
    int saved = errno;
    int error = plain_sys.pthread_create(thread, attributes, run, argument);

    narration_begin(&narration, "pthread_create");
    narration_call(&narration, "()");
    if (error == 0)
        narration_mean(&narration, "one more flow of control through the same memory and descriptors");
    else
        narration.error = error;
    narration_say(&narration, error == 0 ? 0 : -1);
    errno = saved;
    return error;
}

static int explain_eventfd(unsigned initial, int flags)
{
    struct narration narration;
    int fd = plain_sys.eventfd(initial, flags);

    narration_begin(&narration, "eventfd");
    narration_call(&narration, "(%u)", initial);
    if (fd >= 0) {
        descriptor_made(fd);
        narration_mean(&narration, "a counter to wait for: others wake a sleeping loop by it");
    }
    narration_say(&narration, fd);
    return fd;
}

/* What io_uring does passes no system call of its own. */
static void explain_note(const char *meaning, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void explain_note(const char *meaning, const char *format, ...)
{
    char text[400];
    int saved = errno;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    narration_write(text, meaning);
    errno = saved;
}

void explain_start(void)
{
    if (sys.note != NULL)
        return;
    plain_sys = sys;
    narration_open();
    explain_sockets(&sys);
    explain_bytes(&sys);
    explain_waits(&sys);
    sys.fork = explain_fork;
    sys.pthread_create = explain_pthread_create;
    sys.eventfd = explain_eventfd;
    sys.note = explain_note;
}
