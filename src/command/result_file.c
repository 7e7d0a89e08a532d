#include "command/result_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* A pipe that nobody reads yet may have its reader by then. */
static int try_existing(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == ENXIO ? 0 : -1;
}

static int try_new(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno == EEXIST ? try_existing(path) : -1;
    close(fd);
    return unlink(path);
}

int result_file_check(const struct arguments *arguments, const char *option)
{
    const char *path = arguments_value(arguments, option);
    if (!path || is_stdout(path) || try_new(path) == 0)
        return 0;
    return complain_call(arguments->subcommand, "open", path);
}

FILE *result_file_open(const struct arguments *arguments, const char *path)
{
    FILE *file = is_stdout(path) ? stdout : fopen(path, "we");
    if (!file)
        complain_call(arguments->subcommand, "open", path);
    return file;
}

int result_file_close(const struct arguments *arguments, const char *path, FILE *file)
{
    bool failed = ferror(file) || fflush(file) != 0;
    if (file != stdout && fclose(file) != 0)
        failed = true;
    return failed ? complain_call(arguments->subcommand, "write", path) : 0;
}
