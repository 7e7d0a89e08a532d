#include "witness/proc.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_whole(int file, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got = 1;
    while (length + 1 < size && got > 0) {
        got = read(file, text + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    text[length] = '\0';
    return got < 0 ? -1 : (ssize_t)length;
}

ssize_t proc_text(char *text, size_t size, const char *format, ...)
{
    char path[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t length = read_whole(file, text, size);
    int error = errno;
    close(file);
    errno = error;
    return length;
}

bool proc_process(pid_t pid, struct process *process)
{
    char text[1024], *end;
    uint64_t user, system;
    int64_t children_user, children_system;
    *process = (struct process){.pid = pid};
    /* The name, in brackets, may hold anything, brackets too. */
    if (proc_text(text, sizeof text, "/proc/%d/stat", (int)pid) < 0 || !(end = strrchr(text, ')')))
        return false;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel writes numbers only, and how many were read is looked at */
    if (sscanf(end,
               ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64
               " %*d %*d %u %*d %" SCNu64,
               &process->parent, &user, &system, &children_user, &children_system, &process->threads,
               &process->born) != 7)
        return false;
    process->spent = user + system;
    process->children_spent = (uint64_t)(children_user + children_system);
    return true;
}

int proc_numbers(const char *directory, bool (*take)(void *context, pid_t number), void *context)
{
    DIR *entries = opendir(directory);
    if (!entries)
        return -1;
    const struct dirent *entry;
    bool more = true;
    while (more && (entry = readdir(entries))) {
        char *end;
        long number = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && *end == '\0')
            more = take(context, (pid_t)number);
    }
    closedir(entries);
    return 0;
}

static bool add(void *context, pid_t pid)
{
    struct processes *processes = context;
    if (processes->count == processes->room) {
        size_t room = processes->room * 2 + 256;
        struct process *list = realloc(processes->list, room * sizeof *list);
        if (!list) {
            processes->room = 0;
            return false;
        }
        processes->list = list;
        processes->room = room;
    }
    /* One that has gone meanwhile takes no place. */
    processes->count += proc_process(pid, &processes->list[processes->count]);
    return true;
}

static int by_pid(const void *one, const void *other)
{
    const struct process *a = one, *b = other;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

int processes_read(struct processes *processes)
{
    *processes = (struct processes){0};
    if (proc_numbers("/proc", add, processes) < 0)
        return -1;
    if (processes->room == 0) {
        errno = ENOMEM;
        return -1;
    }
    qsort(processes->list, processes->count, sizeof *processes->list, by_pid);
    return 0;
}

void processes_close(struct processes *processes)
{
    free(processes->list);
    *processes = (struct processes){0};
}

struct process *processes_find(const struct processes *processes, pid_t pid)
{
    struct process wanted = {.pid = pid};
    return bsearch(&wanted, processes->list, processes->count, sizeof *processes->list, by_pid);
}
