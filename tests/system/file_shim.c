/* Loaded before the C library: one call fails, as FILE_FAULT says ("fsync 5": with that errno), on our
 * temporary files alone, known by their names. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_ours(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    return strstr(path, "/.parley-save-") != NULL;
}

static bool fails(const char *call)
{
    const char *fault = getenv("FILE_FAULT");
    size_t length = strlen(call);
    if (!fault || strncmp(fault, call, length) != 0 || fault[length] != ' ')
        return false;
    errno = (int)strtol(fault + length, NULL, 10);
    return true;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return is_ours(fd) && fails("write") ? -1 : next(fd, bytes, size);
}

int fsync(int fd)
{
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    return is_ours(fd) && fails("fsync") ? -1 : next(fd);
}

/* The descriptor has gone all the same, close(2). */
int close(int fd)
{
    int (*next)(int) = dlsym(RTLD_NEXT, "close");
    bool ours = is_ours(fd);
    int outcome = next(fd);
    return ours && fails("close") ? -1 : outcome;
}

int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    return strstr(from, "/.parley-save-") && fails("rename") ? -1 : next(from, to);
}
