#include "witness/witness.h"
#include "base/error.h"
#include "witness/listener.h"
#include "witness/proc.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int no_memory(void)
{
    return fail(PARLEY_RESOURCE, "no memory to look at the server's processes");
}

static void add_root(struct witness *witness, pid_t pid)
{
    struct process process;
    if (proc_process(pid, &process))
        witness->roots[witness->count++] = (struct witness_process){pid, process.born};
}

static int witness_of(struct witness *witness, const pid_t *pids, size_t count)
{
    witness->roots = calloc(count, sizeof *witness->roots);
    if (!witness->roots)
        return no_memory();
    for (size_t i = 0; i < count; i++)
        add_root(witness, pids[i]);
    return witness->count ? 0 : fail(PARLEY_USAGE, "the server's process has ended");
}

int witness_open(struct witness *witness, const struct sockaddr *target, socklen_t length)
{
    struct holders holders;
    *witness = (struct witness){0};
    int status = listener_holders(&holders, target, length);
    if (status == 0)
        status = witness_of(witness, holders.pids, holders.count);
    free(holders.pids);
    return status;
}

int witness_of_pid(struct witness *witness, pid_t pid)
{
    *witness = (struct witness){0};
    return witness_of(witness, &pid, 1);
}

void witness_close(struct witness *witness)
{
    free(witness->roots);
    *witness = (struct witness){0};
}

static void mark_roots(const struct witness *witness, const struct processes *processes)
{
    for (size_t i = 0; i < witness->count; i++) {
        struct process *process = processes_find(processes, witness->roots[i].pid);
        if (process && process->born == witness->roots[i].born)
            process->server = true;
    }
}

/* Walks up until a marked one or the top; the table is a moment's, so a pid used anew might make a ring. */
static bool descends(const struct processes *processes, const struct process *process)
{
    for (int steps = 0; process && !process->server && steps < 64; steps++) {
        if (process->pid == getpid())
            return false;
        process = processes_find(processes, process->parent);
    }
    return process && process->server;
}

static void mark_descendants(const struct processes *processes)
{
    for (size_t i = 0; i < processes->count; i++)
        if (descends(processes, &processes->list[i]))
            processes->list[i].server = true;
}

/* To the ns by its clock, where it is still there; else in ticks. */
static double own_time(const struct process *process)
{
    clockid_t clock;
    struct timespec spent;
    if (clock_getcpuclockid(process->pid, &clock) == 0 && clock_gettime(clock, &spent) == 0)
        return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
    return (double)process->spent / (double)sysconf(_SC_CLK_TCK);
}

static int64_t number_after(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found ? strtoll(found + strlen(name), NULL, 10) : -1;
}

/* What the threads of one process are asked for. */
struct threads {
    pid_t pid;
    int64_t switches;
};

static bool add_switches(void *context, pid_t thread)
{
    struct threads *threads = context;
    char text[4096];
    if (proc_text(text, sizeof text, "/proc/%d/task/%d/status", (int)threads->pid, (int)thread) < 0)
        return true;
    int64_t voluntary = number_after(text, "\nvoluntary_ctxt_switches:");
    int64_t others = number_after(text, "\nnonvoluntary_ctxt_switches:");
    threads->switches += (voluntary > 0 ? voluntary : 0) + (others > 0 ? others : 0);
    return true;
}

/* It has ended since the table was read, or nobody has waited for it: what it had is no more. */
static bool has_gone(void)
{
    return errno == ENOENT || errno == ESRCH;
}

static int64_t switches_of(pid_t pid)
{
    char directory[64];
    struct threads threads = {.pid = pid};
    snprintf(directory, sizeof directory, "/proc/%d/task", (int)pid);
    return proc_numbers(directory, add_switches, &threads) < 0 && !has_gone() ? -1 : threads.switches;
}

/* Not the pages of files: a program's text would cost it less while others run the same program, as the one
 * that measures does. */
static int64_t memory_of(pid_t pid)
{
    char text[4096];
    if (proc_text(text, sizeof text, "/proc/%d/smaps_rollup", (int)pid) < 0)
        return has_gone() ? 0 : -1;
    int64_t allocated = number_after(text, "\nPss_Anon:"), shared = number_after(text, "\nPss_Shmem:");
    return (allocated > 0 ? allocated : 0) * 1024 + (shared > 0 ? shared : 0) * 1024;
}

static void look_closely(struct witness_reading *reading, pid_t pid)
{
    int64_t switches = switches_of(pid), memory = memory_of(pid);
    if (reading->switches >= 0)
        reading->switches = switches < 0 ? -1 : reading->switches + switches;
    if (reading->memory >= 0)
        reading->memory = memory < 0 ? -1 : reading->memory + memory;
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void sum_up(const struct processes *processes, struct witness_reading *reading, bool closely)
{
    int64_t begin = now();
    *reading = (struct witness_reading){.switches = closely ? 0 : -1, .memory = closely ? 0 : -1};
    for (size_t i = 0; i < processes->count; i++) {
        const struct process *process = &processes->list[i];
        if (!process->server)
            continue;
        reading->time += own_time(process) + (double)process->children_spent / (double)sysconf(_SC_CLK_TCK);
        reading->processes++;
        reading->threads += process->threads;
        if (closely)
            look_closely(reading, process->pid);
    }
    reading->at = begin + (now() - begin) / 2;
}

static int take_reading(const struct witness *witness, struct witness_reading *reading, bool closely)
{
    struct processes processes;
    int status = processes_read(&processes);
    if (status == 0) {
        mark_roots(witness, &processes);
        mark_descendants(&processes);
        sum_up(&processes, reading, closely);
    }
    processes_close(&processes);
    if (status < 0)
        return no_memory();
    return reading->processes ? 0 : fail(PARLEY_NETWORK, "the server's processes have ended");
}

int witness_read(const struct witness *witness, struct witness_reading *reading)
{
    return take_reading(witness, reading, false);
}

int witness_read_closely(const struct witness *witness, struct witness_reading *reading)
{
    return take_reading(witness, reading, true);
}

int machine_read(struct machine_reading *reading)
{
    char text[512];
    uint64_t user, nice, system, idle, waiting, interrupts, soft, stolen;
    if (proc_text(text, sizeof text, "/proc/stat") < 0)
        return -1;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel writes numbers only, and how many were read is looked at */
    int read = sscanf(text,
                      "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                      " %" SCNu64,
                      &user, &nice, &system, &idle, &waiting, &interrupts, &soft, &stolen);
    if (read != 8)
        return -1;
    double second = (double)sysconf(_SC_CLK_TCK);
    reading->idle = (double)(idle + waiting) / second;
    reading->total = reading->idle + (double)(user + nice + system + interrupts + soft + stolen) / second;
    return 0;
}

double thread_time(pthread_t thread)
{
    clockid_t clock;
    struct timespec spent;
    if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &spent) != 0)
        return 0;
    return (double)spent.tv_sec + (double)spent.tv_nsec / 1e9;
}
