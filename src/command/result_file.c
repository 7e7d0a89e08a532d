#include "command/result_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/save.h"

bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* ---- before ---- */

/* A pipe that nobody reads yet may have its reader by then. */
static int try_device(const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == ENXIO ? 0 : -1;
}

static int try_file(const char *path)
{
    struct save save;
    int outcome = save_open(&save, path);
    save_discard(&save);
    return outcome;
}

static bool is_device(const char *path)
{
    struct stat present;
    return stat(path, &present) == 0 && !S_ISREG(present.st_mode) && !S_ISDIR(present.st_mode);
}

int result_file_check(const struct arguments *arguments, const char *option)
{
    const char *path = arguments_value(arguments, option);
    if (!path || is_stdout(path) || (is_device(path) ? try_device(path) : try_file(path)) == 0)
        return 0;
    return complain_call(arguments->subcommand, "open", path);
}

/* ---- the result ---- */

int result_file_open(struct result_file *file, const struct arguments *arguments)
{
    *file = (struct result_file){0};
    file->out = open_memstream(&file->text, &file->size);
    return file->out ? 0 : complain_call(arguments->subcommand, "open_memstream", "for the result");
}

static int write_stdout(const struct result_file *file, const struct arguments *arguments)
{
    if (fwrite(file->text, 1, file->size, stdout) == file->size && fflush(stdout) == 0)
        return 0;
    return complain_unwritten(arguments->subcommand);
}

static int write_file(const struct result_file *file, const struct arguments *arguments, const char *path)
{
    struct save save;
    if (save_open(&save, path) == 0 && save_write(&save, file->text, file->size) == 0 &&
        save_commit(&save) == 0)
        return 0;
    save_discard(&save);
    return complain_call(arguments->subcommand, save_failed_call(), path);
}

int result_file_close(struct result_file *file, const struct arguments *arguments, const char *path,
                      bool is_whole)
{
    int code;
    if (fclose(file->out) != 0 || !is_whole)
        code = complain(arguments->subcommand, "write %s: no memory for the result", path);
    else
        code = is_stdout(path) ? write_stdout(file, arguments) : write_file(file, arguments, path);
    free(file->text);
    return code;
}
