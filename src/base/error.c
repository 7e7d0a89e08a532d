#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { SENTENCE_SIZE = 1024, REASON_SIZE = 256 };

static _Thread_local char sentence[SENTENCE_SIZE] = "no call has failed";
static _Thread_local char reason[REASON_SIZE];

/* Copies `from` as one printable line: a name from outside must not break the log or steer a terminal. */
static void copy_escaped(char *to, size_t size, const char *from)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;

    for (; *from != '\0' && used + 5 <= size; from++) {
        unsigned char byte = (unsigned char)*from;
        if (byte >= 0x20 && byte != 0x7f) {
            to[used++] = *from;
            continue;
        }
        to[used++] = '\\';
        to[used++] = 'x';
        to[used++] = digits[byte >> 4];
        to[used++] = digits[byte & 15];
    }
    to[used] = '\0';
}

int fail(parley_status status, const char *format, ...)
{
    /* The arguments may quote the previous sentence, so the new one is made beside it. */
    char text[SENTENCE_SIZE];
    int saved = errno;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    copy_escaped(sentence, sizeof sentence, text);
    errno = saved;
    return status;
}

struct hint {
    const char *call; /* a prefix of the call's name; "" is any */
    int error;
    const char *text;
};

static const struct hint hints[] = {
    {"bind", EACCES, "ports below 1024 need CAP_NET_BIND_SERVICE"},
    {"bind", EADDRINUSE, "it is taken; `ss -tanp` shows by whom"},
    {"listen", EADDRINUSE, "it is taken; `ss -tanp` shows by whom"},
    {"bind", EADDRNOTAVAIL, "no interface of this machine has it"},
    {"bind", EAFNOSUPPORT, "the address to reach is of another family"},
    {"connect", ECONNREFUSED, "nothing listens there"},
    {"connect", EADDRNOTAVAIL, "no local port is free for it"},
    {"connect", ETIMEDOUT, "nobody answered"},
    {"connect", ENETUNREACH, "this machine has no route to it"},
    {"connect", EHOSTUNREACH, "the network has no such host"},
    {"connect", EPERM, "a firewall of this machine forbids it"},
    {"socket", EAFNOSUPPORT, "the kernel has no such protocol"},
    {"fork", EAGAIN, "RLIMIT_NPROC or the limit of the control group is reached"},
    {"pthread_create", EAGAIN, "RLIMIT_NPROC or the limit of the control group is reached"},
    {"io_uring", EPERM, "kernel.io_uring_disabled or a seccomp filter forbids it"},
    {"io_uring", ENOSYS, "this kernel has no io_uring"},
    {"io_uring", ENOMEM, "RLIMIT_MEMLOCK bounds the memory of rings"},
    {"", ENFILE, "fs.file-max is reached"},
};

/* Hints about ports and listeners are wrong for a path. */
static const struct hint unix_hints[] = {
    {"bind", EACCES, "this user may not create files in its directory"},
    {"bind", EADDRINUSE, "a file of this name exists"},
    {"bind", ENOENT, "its directory is not there"},
    {"connect", ECONNREFUSED, "nothing listens there"},
    {"connect", ENOENT, "no server has made it"},
    {"connect", EACCES, "this user may not write to the socket"},
};

static const char *find_hint(const struct hint *table, size_t count, const char *call, int error)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].error == error && strncmp(call, table[i].call, strlen(table[i].call)) == 0)
            return table[i].text;
    return NULL;
}

static const char *hint_for(const char *call, const char *address, int error)
{
    if (address != NULL && (strncmp(address, "unix", 4) == 0 || address[0] == '@'))
        return find_hint(unix_hints, sizeof unix_hints / sizeof *unix_hints, call, error);
    return find_hint(hints, sizeof hints / sizeof *hints, call, error);
}

/* The kernel's words, untranslated whatever the locale, starting in lower case like our own. */
static void describe(int error)
{
    const char *text = strerrordesc_np(error);
    int length;

    if (text == NULL) {
        snprintf(reason, sizeof reason, "error %d", error);
        return;
    }
    length = snprintf(reason, sizeof reason, "%s", text);
    /* "RFS specific error" keeps its capitals. */
    if (length > 1 && reason[0] >= 'A' && reason[0] <= 'Z' && !(reason[1] >= 'A' && reason[1] <= 'Z'))
        reason[0] = (char)(reason[0] - 'A' + 'a');
}

static const char *reason_at(const char *call, const char *address, int error)
{
    const char *hint = hint_for(call, address, error);
    struct rlimit limit;
    size_t used;

    if (error == EDEADLK && strcmp(call, "connect") == 0)
        return "this server listens there itself, and would forward to itself"; /* no errno says so */
    describe(error);
    used = strlen(reason);
    if (error == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        snprintf(reason + used, sizeof reason - used, " (RLIMIT_NOFILE is %llu)",
                 (unsigned long long)limit.rlim_cur);
    } else if (hint != NULL) {
        snprintf(reason + used, sizeof reason - used, " (%s)", hint);
    }
    return reason;
}

const char *reason_of(const char *call, int error)
{
    int saved = errno;
    const char *text = reason_at(call, NULL, error);

    errno = saved;
    return text;
}

static parley_status status_of(int error)
{
    switch (error) {
    case ETIMEDOUT: return PARLEY_TIMEOUT;
    case EACCES:
    case EPERM:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case EAGAIN:
    case EBADF:
    case EFAULT:
    case EINVAL:
    case ENOSYS: return PARLEY_RESOURCE;
    default: return PARLEY_NETWORK;
    }
}

int fail_call(const char *call, const char *address, int error)
{
    const char *text = reason_at(call, address, error);

    if (address == NULL)
        return fail(status_of(error), "%s: %s", call, text);
    return fail(status_of(error), "%s %s: %s", call, address, text);
}

const char *parley_error(void)
{
    return sentence;
}

int parley_exit_code(int status)
{
    switch (status) {
    case PARLEY_OK: return 0;
    case PARLEY_USAGE:
    case PARLEY_RESOURCE:
    case PARLEY_FULL: return 2;
    case PARLEY_TIMEOUT: return 4;
    default: return status > 0 ? status : 1;
    }
}

#define TEXT_OF(number) TEXT_OF_VALUE(number)
#define TEXT_OF_VALUE(value) #value

const char *parley_version(void)
{
    return TEXT_OF(PARLEY_VERSION_MAJOR) "." TEXT_OF(PARLEY_VERSION_MINOR) "." TEXT_OF(PARLEY_VERSION_PATCH);
}
