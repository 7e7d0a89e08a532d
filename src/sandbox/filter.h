/* Which system calls are left: an allow-list in the kernel, seccomp(2), inherited by all that is started
 * later. */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include <stdbool.h>

/* What a process will do beside serving the connections it accepts. */
enum filter_needs {
    FILTER_FORKS = 1,    /* worker processes, which are waited for and told */
    FILTER_RINGS = 2,    /* io_uring */
    FILTER_READS = 4,    /* opens files to read them again */
    FILTER_REMOVES = 8,  /* removes its socket files */
    FILTER_DIALS = 16,   /* names are looked up, by libraries that are loaded then; connections are made */
    FILTER_TALKS = 32,   /* a terminal, and files that are written */
    FILTER_EXPLAINS = 64 /* what its descriptors are */
};

/* Whether this kernel, and whatever stands before it, takes filters; else errno says why not. Never under a
 * sanitizer, whose own calls no list of ours can know. */
bool filter_is_available(void);

/* Allows only what `needs` (of enum filter_needs) takes, and returns how many calls that is, or a
 * parley_status. Any other call fails with EPERM: what a newer C library tries first then falls back, and
 * what an intruder tries is not done. Needs capabilities_never_gain(). */
int filter_install(unsigned needs);

/* In a worker, when all it works with is open: forbids this thread, and what it starts, what only a
 * supervisor does, for good. No process is signalled but itself, none is waited for, and no filter added;
 * unless it `starts_others`, no process is started and no ring made. 0 or a parley_status. Needs
 * filter_install() with FILTER_FORKS before. */
int filter_narrow(bool starts_others);

/* For who starts programs nobody knows: forbids it and them only what no ordinary program needs, and returns
 * how many calls that is, or a parley_status. Needs capabilities_never_gain(), or CAP_SYS_ADMIN. */
int filter_for_programs(void);

#endif
