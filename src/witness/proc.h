/* What /proc tells of processes: read in one pass, so that thousands of them cost milliseconds. */
#ifndef WITNESS_PROC_H
#define WITNESS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of the process table. Times are clock ticks of 10 ms. */
struct process {
    pid_t pid, parent;
    uint64_t born;  /* ticks since the machine started: tells a process from a later one of the same pid */
    uint64_t spent; /* by all its threads, those that have ended too */
    uint64_t children_spent; /* by children it has waited for, and theirs */
    unsigned threads;
    bool server; /* for whoever marks some of them */
};

struct processes {
    struct process *list; /* by pid, ascending */
    size_t count, room;
};

/* The whole text of a file of /proc, at most `size` - 1 bytes, ended by NUL; -1 and errno. */
ssize_t proc_text(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* One process: whether there is one. */
bool proc_process(pid_t pid, struct process *process);
/* Every process that may be seen. 0, or -1 and errno. Close it either way. */
int processes_read(struct processes *processes);
void processes_close(struct processes *processes);
/* NULL when there is none. */
struct process *processes_find(const struct processes *processes, pid_t pid);

/* Calls `take` with each number that names an entry of this directory, until it returns false: pids in /proc,
 * threads in /proc/PID/task, descriptors in /proc/PID/fd. 0, or -1 and errno when it cannot be opened. */
int proc_numbers(const char *directory, bool (*take)(void *context, pid_t number), void *context);

#endif
