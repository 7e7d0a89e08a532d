#include "engine/narration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/escape.h"
#include "engine/stderr.h"

enum { COLUMN = 64, LINE_SIZE = 1024, PREVIEW = 32, DESCRIPTORS = 4096 };

struct sys real;
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
    {"recv", EAGAIN, "nothing has arrived: not an error, ask again when the poller says so"},
    {"recv", ECONNRESET, "the peer broke off (RST): what was under way is lost"},
    {"send", EAGAIN, "the send buffer is full, the peer reads too slowly: wait until it is writable"},
    {"send", EPIPE, "nobody is left to read it (MSG_NOSIGNAL spares us SIGPIPE, which kills)"},
    {"send", ECONNRESET, "the peer broke off (RST): what was under way is lost"},
    {"connect", EINPROGRESS, "SYN is sent; the handshake goes on without us, writable means it ended"},
    {"connect", ECONNREFUSED, "the other kernel answered RST: nobody listens on that port"},
    {"connect", ETIMEDOUT, "SYN after SYN, and no answer"},
    {"connect", EADDRNOTAVAIL, "no local port is free for it"},
    {"bind", EADDRINUSE, "another socket has this address and port"},
    {"bind", EADDRNOTAVAIL, "no interface of this machine has this address"},
    {"bind", EACCES, "ports below 1024 take a privilege"},
    {"listen", EADDRINUSE, "another socket listens on this address and port"},
    {"shutdown", ENOTCONN, "the connection is over already"},
    {"fork", EAGAIN, "a limit on processes is reached"},
    {"pthread_create", EAGAIN, "a limit on threads is reached"},
    {"epoll_ctl", EPERM, "a plain file: always ready, so there is nothing to watch"},
    {"", EINTR, "a signal arrived first: nothing was done, call again"},
};

static const char *meaning_of(const char *call, int error)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].error == error && strncmp(call, errors[i].call, strlen(errors[i].call)) == 0) {
            return errors[i].meaning;
        }
    }
    return NULL;
}

/* The kernel's words, then ours. */
static void describe_error(char *text, size_t size, const char *call, int error)
{
    const char *words = strerrordesc_np(error), *meaning = meaning_of(call, error);

    snprintf(text, size, "%s%s%s", words != NULL ? words : "an error without a name",
             meaning != NULL ? ": " : "", meaning != NULL ? meaning : "");
    if (text[0] >= 'A' && text[0] <= 'Z') {
        text[0] = (char)(text[0] - 'A' + 'a');
    }
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

void narration_write(const char *call, const char *meaning)
{
    char who[48], line[LINE_SIZE];
    int pid = getpid(), thread = gettid();
    int length, size;

    length = pid == thread ? snprintf(who, sizeof who, "[pid %d]", pid)
                           : snprintf(who, sizeof who, "[pid %d thread %d]", pid, thread);
    size =
        snprintf(line, sizeof line - 1, "%s %-*s  %s%s%s", who, COLUMN - length, call, dim, meaning, plain);
    if (size > (int)sizeof line - 2) {
        size = (int)sizeof line - 2;
    }
    while (size > 0 && line[size - 1] == ' ') {
        size--;
    }
    line[size++] = '\n';
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

void narration_bytes(struct narration *narration, const void *bytes, size_t size)
{
    char text[PREVIEW + 1];
    size_t taken;

    escape(text, sizeof text, bytes, size, "\\\"", &taken);
    narration_call(narration, "\"%s\"%s", text, taken < size ? "…" : "");
}

void narration_say(const struct narration *narration, long result)
{
    char call[sizeof narration->call + 40], meaning[sizeof narration->meaning];
    const char *name = strerrorname_np(narration->error);

    if (result >= 0) {
        snprintf(call, sizeof call, "%s = %ld", narration->call, result);
    } else {
        snprintf(call, sizeof call, "%s = -1 %s", narration->call, name != NULL ? name : "?");
    }
    if (result < 0 && narration->meaning[0] == '\0') {
        describe_error(meaning, sizeof meaning, narration->name, narration->error);
        narration_write(call, meaning);
    } else {
        narration_write(call, narration->meaning);
    }
    errno = narration->error;
}

void narration_say_sleep(const struct narration *narration)
{
    char call[sizeof narration->call + 8];

    snprintf(call, sizeof call, "%s …", narration->call);
    narration_write(call, narration->meaning);
    errno = narration->error;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

bool would_sleep(int fd, short events, int flags)
{
    struct pollfd one = {.fd = fd, .events = events};
    int status = fcntl(fd, F_GETFL);

    return !(flags & MSG_DONTWAIT) && status >= 0 && !(status & O_NONBLOCK) && real.poll(&one, 1, 0) == 0;
}

/* How many forks this process had been through, or had made, when each descriptor was made. */
static atomic_uint forks, made_at[DESCRIPTORS];
static atomic_bool is_child;

void descriptor_made(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS) {
        atomic_store(&made_at[fd], atomic_load(&forks));
    }
}

void descriptors_copied(bool in_child)
{
    atomic_fetch_add(&forks, 1);
    atomic_store(&is_child, in_child);
}

/* A parent hands its client over to the child and keeps listening: so the child's copy of the connection is
 * the one that counts, and of the listener the parent's. */
bool descriptor_is_copy(int fd, bool listens)
{
    bool copied = fd >= 0 && fd < DESCRIPTORS && atomic_load(&made_at[fd]) < atomic_load(&forks);

    return copied && (listens || !atomic_load(&is_child));
}
