#include "command/save.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *failed_call = "";

static int failed(const char *call)
{
    failed_call = call;
    return -1;
}

const char *save_failed_call(void)
{
    return failed_call;
}

/* Where a symbolic link points, so that the link survives the rename; the path itself if nothing is there. */
static char *final_path(const char *path)
{
    char *target = realpath(path, NULL);
    return target != NULL || errno != ENOENT ? target : strdup(path);
}

/* "DIRECTORY/.parley-save-XXXXXX": the same directory, since a rename cannot cross file systems. */
static char *temporary_beside(const char *path)
{
    char *copy = strdup(path);
    char *name = NULL;
    if (copy != NULL && asprintf(&name, "%s/.parley-save-XXXXXX", dirname(copy)) < 0)
        name = NULL;
    free(copy);
    return name;
}

/* The mode open(2) would give a new file, or that of the file to be replaced. */
static mode_t wanted_mode(const struct stat *present)
{
    if (present != NULL)
        return present->st_mode & 0777;
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static int open_temporary(struct save *save, const struct stat *present)
{
    save->temporary = temporary_beside(save->path);
    if (save->temporary == NULL)
        return -1;
    save->fd = mkostemp(save->temporary, O_CLOEXEC);
    if (save->fd < 0) {
        free(save->temporary);
        save->temporary = NULL;
        return -1;
    }
    return fchmod(save->fd, wanted_mode(present));
}

int save_open(struct save *save, const char *path)
{
    struct stat present;
    *save = (struct save)SAVE_NONE;
    save->path = final_path(path);
    if (save->path == NULL)
        return failed("open");
    bool exists = stat(save->path, &present) == 0;
    int outcome;
    if (exists && S_ISDIR(present.st_mode)) {
        errno = EISDIR;
        outcome = -1;
    } else if (exists && !S_ISREG(present.st_mode)) {
        save->fd = open(save->path, O_WRONLY | O_CLOEXEC);
        outcome = save->fd < 0 ? -1 : 0;
    } else {
        outcome = open_temporary(save, exists ? &present : NULL);
    }
    if (outcome != 0) {
        save_discard(save);
        return failed("open");
    }
    return 0;
}

int save_write(struct save *save, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (save->fd >= 0 && size > 0) {
        ssize_t written = write(save->fd, from, size);
        if (written < 0 && errno != EINTR)
            return failed("write");
        if (written > 0) {
            from += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* The name itself must reach the disk too; a directory that cannot be synced is not our failure. */
static void sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(copy);
}

/* Pipes and devices cannot be synced. */
static int sync_file(const struct save *save)
{
    return save->temporary != NULL ? fsync(save->fd) : 0;
}

static int close_file(struct save *save)
{
    int fd = save->fd;
    save->fd = -1;
    return close(fd);
}

int save_settle(struct save *save)
{
    if (save->fd < 0)
        return 0;
    if (sync_file(save) != 0)
        return failed("fsync");
    return close_file(save) != 0 ? failed("close") : 0;
}

static int commit(struct save *save)
{
    if (save_settle(save) != 0)
        return -1;
    if (save->temporary == NULL)
        return 0;
    if (rename(save->temporary, save->path) != 0)
        return failed("rename");
    free(save->temporary);
    save->temporary = NULL;
    sync_directory(save->path);
    return 0;
}

int save_commit(struct save *save)
{
    if (save->path == NULL)
        return 0;
    int outcome = commit(save);
    save_discard(save);
    return outcome;
}

void save_discard(struct save *save)
{
    int error = errno;
    if (save->fd >= 0)
        close_file(save);
    if (save->temporary != NULL)
        unlink(save->temporary);
    free(save->temporary);
    free(save->path);
    *save = (struct save)SAVE_NONE;
    errno = error;
}
