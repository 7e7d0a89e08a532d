#include "explain/narration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/stderr.h"

/* A line holds the longest of all its parts. */
enum { COLUMN = 72, HEAD_SIZE = 512, LINE_SIZE = 1024, PREVIEW = 32, DESCRIPTORS = 4096 };

struct sys plain_sys;
static const char *dim = "", *plain = "";

/* ---- what an error means -------------------------------------------------------------------- */

static const struct {
    const char *call; /* "" is any */
    int error;
    const char *meaning;
} errors[] = {
    {"accept", EAGAIN, "no client waits: the queue is empty, or another worker was faster"},
    {"accept", EMFILE, "this process has all the descriptors it may: the client waits in the queue"},
    {"accept", ECONNABORTED, "this client gave up while it waited in the queue"},
    {"recv", EAGAIN, "nothing has arrived yet; not an error: ask again when it is ready"},
    {"recv", ECONNRESET, "connection reset: the peer broke off (RST), what was under way is lost"},
    {"send", EAGAIN, "the send buffer is full, for the peer reads slowly: wait until there is room"},
    {"send", EPIPE, "broken pipe: nobody is left to read it (MSG_NOSIGNAL spares us the deadly SIGPIPE)"},
    {"send", ECONNRESET, "connection reset: the peer broke off (RST), what was under way is lost"},
    {"connect", EINPROGRESS, "SYN is sent; the handshake goes on without us: writable means it has ended"},
    {"connect", ECONNREFUSED,
     "connection refused: the kernel there answered RST, nobody listens on that port"},
    {"connect", ETIMEDOUT, "timed out: SYN after SYN, and no answer"},
    {"connect", EADDRNOTAVAIL, "no local port is free for it"},
    {"bind", EADDRINUSE, "address in use: another socket has it"},
    {"bind", EADDRNOTAVAIL, "no interface of this machine has this address"},
    {"bind", EACCES, "permission denied: ports below 1024 take a privilege"},
    {"listen", EADDRINUSE, "address in use: another socket listens there"},
    {"shutdown", ENOTCONN, "the connection is over already"},
    {"fork", EAGAIN, "a limit on processes is reached"},
    {"pthread_create", EAGAIN, "a limit on threads is reached"},
    {"epoll_ctl", EPERM, "a plain file is always ready: nothing to watch"},
    {"", EINTR, "interrupted: a signal came first, and nothing was done"},
};

static const char *meaning_of(const char *call, int error)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].error == error && strncmp(call, errors[i].call, strlen(errors[i].call)) == 0)
            return errors[i].meaning;
    return NULL;
}

/* ---- a line --------------------------------------------------------------------------------- */

void narration_open(void)
{
    const char *terminal = getenv("TERM");

    if (isatty(STDERR_FILENO) && getenv("NO_COLOR") == NULL && terminal != NULL &&
        strcmp(terminal, "dumb") != 0) {
        dim = "\033[2m";
        plain = "\033[0m";
    }
}

/* Spaces that bring text to the column of the meanings. */
static int spaces_after(const char *text)
{
    int columns = 0;

    for (; *text != '\0'; text++)
        columns += (*text & 0xc0) != 0x80; /* a character of UTF-8 begins */
    return columns < COLUMN ? COLUMN - columns : 0;
}

void narration_write(const char *call, const char *meaning)
{
    char head[HEAD_SIZE], line[LINE_SIZE];
    int pid = getpid(), thread = gettid();
    int size;

    if (sys_untold)
        return;
    if (pid == thread)
        snprintf(head, sizeof head, "[pid %d] %s", pid, call);
    else
        snprintf(head, sizeof head, "[pid %d thread %d] %s", pid, thread, call);
    if (meaning[0] == '\0') {
        size = snprintf(line, sizeof line, "%s\n", head);
    } else {
        size =
            snprintf(line, sizeof line, "%s%*s  %s%s%s\n", head, spaces_after(head), "", dim, meaning, plain);
    }
    stderr_write(line, (size_t)size);
}

void narration_begin(struct narration *narration, const char *name)
{
    narration->error = errno;
    narration->name = name;
    narration->meaning[0] = '\0';
    snprintf(narration->call, sizeof narration->call, "%s", name);
}

static void append_format(char *text, size_t size, const char *format, va_list arguments) PARLEY_PRINTF(3, 0);
static void append_format(char *text, size_t size, const char *format, va_list arguments)
{
    size_t used = strlen(text);

    vsnprintf(text + used, size - used, format, arguments);
}

void narration_call(struct narration *narration, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    append_format(narration->call, sizeof narration->call, format, arguments);
    va_end(arguments);
}

void narration_mean(struct narration *narration, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    append_format(narration->meaning, sizeof narration->meaning, format, arguments);
    va_end(arguments);
}

/* Our words where we have some, otherwise the kernel's. */
void narration_mean_error(struct narration *narration, const char *call, int error)
{
    const char *meaning = meaning_of(call, error);
    char *text = narration->meaning;

    if (meaning == NULL)
        meaning = strerrordesc_np(error);
    snprintf(text, sizeof narration->meaning, "%s", meaning != NULL ? meaning : "an error without a name");
    if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a')
        text[0] = (char)(text[0] - 'A' + 'a');
}

void narration_bytes(struct narration *narration, const void *bytes, size_t size)
{
    char text[PREVIEW + 1];
    size_t taken;

    escape_bytes(text, sizeof text, bytes, size, "\\\"", &taken);
    narration_call(narration, "\"%s\"%s", text, taken < size ? "…" : "");
}

void narration_say(struct narration *narration, long result)
{
    const char *name = strerrorname_np(narration->error);

    if (result >= 0)
        narration_call(narration, " = %ld", result);
    else
        narration_call(narration, " = -1 %s", name != NULL ? name : "?");
    if (result < 0 && narration->meaning[0] == '\0')
        narration_mean_error(narration, narration->name, narration->error);
    narration_write(narration->call, narration->meaning);
    errno = narration->error;
}

void narration_say_sleep(struct narration *narration)
{
    narration_call(narration, " …");
    narration_write(narration->call, narration->meaning);
    errno = narration->error;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

bool would_sleep(int fd, short events, int flags)
{
    struct pollfd one = {.fd = fd, .events = events};
    int status = fcntl(fd, F_GETFL);

    return !(flags & MSG_DONTWAIT) && status >= 0 && !(status & O_NONBLOCK) &&
           plain_sys.poll(&one, 1, 0) == 0;
}

/* How many forks this process had been through, or had made, when each descriptor was made. */
static atomic_uint forks, made_at[DESCRIPTORS];
static atomic_bool is_child;

void descriptor_made(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        atomic_store(&made_at[fd], atomic_load(&forks));
}

void descriptors_copied(bool in_child)
{
    atomic_fetch_add(&forks, 1);
    atomic_store(&is_child, in_child);
}

static bool was_copied(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && atomic_load(&made_at[fd]) < atomic_load(&forks);
}

bool descriptor_is_inherited(int fd)
{
    return atomic_load(&is_child) && was_copied(fd);
}

/* A parent hands its client over to the child and keeps listening: so the child's copy of the connection is
 * the one that counts, and of the listener the parent's. */
bool descriptor_is_copy(int fd, bool listens)
{
    return was_copied(fd) && (listens || !atomic_load(&is_child));
}
