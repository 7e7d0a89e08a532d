/* One line per event, on stderr, escaped, bounded in rate, and never blocking the server.
 *
 * Each line is one write(2) of at most PIPE_BUF bytes from a buffer on the stack: no lock is held, so a fork
 * in another thread can never inherit one. A stderr that would block loses lines, and counts them. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <parley.h>

enum log_format { LOG_OFF, LOG_TEXT, LOG_JSON };

/* Event classes; the table in log.c gives each its name in JSON, the verbosity from which it shows, and how
 * many lines a second it may write. Failures and reloads: 1 a second. Comings, goings, messages: 100 a second
 * below verbosity 2, unlimited from 2 on. */
enum log_event {
    LOG_SERVER,  /* listening, draining, stopped: from 1 on */
    LOG_OPENED,  /* a client came (1) */
    LOG_CLOSED,  /* it left (1) */
    LOG_MESSAGE, /* a message of it (1) */
    LOG_HANDLER, /* parley_log() (1) */
    LOG_SAID,    /* a program said it on its standard error (1) */
    LOG_WORKER,  /* a worker started, was reaped (1) */
    LOG_DETAIL,  /* resolver, options, threads (2) */
    LOG_RELOAD,  /* files were read again (1) */
    LOG_UNREAD,  /* and could not (0, failure) */
    LOG_REFUSED, /* a client was turned away: limits, no descriptors (0, failure) */
    LOG_ACCEPT,  /* accept failed (0, failure) */
    LOG_CONN,    /* a connection failed: reset, stalled, overflow (0 , failure) */
    LOG_FAULT,   /* this machine failed: fork, memory, a worker died (0, failure) */
    LOG_EVENTS
};

/* How many lines a class has written in the current second. `suppressed` is said with the class's next line,
 * and by log_flush(). */
struct log_window {
    _Atomic int64_t second;
    _Atomic unsigned written, suppressed;
};

/* What workers count together, processes too: a storm is one storm, however many serve it. */
struct log_counts {
    struct log_window windows[LOG_EVENTS];
    _Atomic unsigned lost; /* lines a full stderr refused */
};

/* One worker's log: not shared between threads. */
struct log {
    enum log_format format;
    int verbosity;
    unsigned wanted;           /* a bit for each class that shows */
    struct log_counts *counts; /* `own`, or those of log_share() */
    struct log_counts own;
};

void log_open(struct log *log, enum log_format format, int verbosity);
/* Counts together with other logs. */
void log_share(struct log *log, struct log_counts *counts);

/* Whether a line of this class would show at this verbosity (cheap; call before formatting costs). */
static inline bool log_wants(const struct log *log, enum log_event event)
{
    return log->wanted >> event & 1;
}

/* `who` is an address, or NULL for the server itself. Text: "2026-11-21 02:30:00.123Z 127.0.0.1:40000
 * connected"; JSON:
 * {"time":"2026-11-21T02:30:00.123Z","event":"opened","peer":"127.0.0.1:40000","pid":12,
 * "thread":13,"text":"connected"}, with "suppressed" and "lost" where there are any. The time is UTC in both.
 * In the text everything that could break the line or steer a terminal is escaped; the backslash is not, so a
 * sentence that quotes stays as it was. */
void log_line(struct log *log, enum log_event event, const char *who, const char *format, ...)
    PARLEY_PRINTF(4, 5);
void log_vline(struct log *log, enum log_event event, const char *who, const char *format, va_list arguments)
    PARLEY_PRINTF(4, 0);

/* `what: 6 bytes "hello\n"`: the bytes escaped as C strings, cut after 200 with "…". JSON has "size" and
 * "bytes" besides. */
void log_message(struct log *log, const char *who, const char *what, const void *bytes, size_t size);

/* Says what is still suppressed or lost; the last to write calls it. */
void log_flush(struct log *log);

/* Escapes `size` bytes for a log or a terminal into `text` (always ended by NUL, cut to `room`): printable
 * ASCII and whole, harmless UTF-8 as they are; \n \r \t \\ and everything else (C0, C1, DEL, bidi controls,
 * invalid UTF-8) as \n or \xNN. Returns the length written. */
size_t log_escape(char *text, size_t room, const void *bytes, size_t size);

#endif
