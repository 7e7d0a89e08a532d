#include "base/log.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/stderr.h"
#include "base/sys.h"

/* Sized so that a line fits in PIPE_BUF whatever it holds: JSON may double `text` and `who`, and needs two
 * and a half thousand bytes for a message of nothing but control bytes. */
enum {
    RAW_SIZE = 1024,
    TEXT_SIZE = 1536,
    WHO_SIZE = 256,
    WHAT_SIZE = 128,
    PREVIEW = 200,
    PREVIEW_SIZE = 4 * PREVIEW + 1
};
enum { COMINGS_A_SECOND = 100, UNLIMITED = 0 };

static const char ellipsis[] = "…";

static const struct event_class {
    const char *name;
    int from;                /* the verbosity from which it shows */
    unsigned limit, verbose; /* lines a second below verbosity 2, and from 2 on */
} classes[LOG_EVENTS] = {
    [LOG_SERVER] = {"server", 1, UNLIMITED, UNLIMITED},
    [LOG_OPENED] = {"opened", 1, COMINGS_A_SECOND, UNLIMITED},
    [LOG_CLOSED] = {"closed", 1, COMINGS_A_SECOND, UNLIMITED},
    [LOG_MESSAGE] = {"message", 1, COMINGS_A_SECOND, UNLIMITED},
    [LOG_HANDLER] = {"handler", 1, COMINGS_A_SECOND, UNLIMITED},
    [LOG_SAID] = {"said", 1, COMINGS_A_SECOND, UNLIMITED},
    [LOG_WORKER] = {"worker", 1, COMINGS_A_SECOND, UNLIMITED},
    [LOG_DETAIL] = {"detail", 2, COMINGS_A_SECOND, UNLIMITED},
    [LOG_RELOAD] = {"reload", 1, 1, 1},
    [LOG_UNREAD] = {"unread", 0, 1, 1},
    [LOG_REFUSED] = {"refused", 0, 1, 1},
    [LOG_ACCEPT] = {"accept", 0, 1, 1},
    [LOG_CONN] = {"connection", 0, 1, 1},
    [LOG_FAULT] = {"fault", 0, 1, 1},
};

/* A line being written. */
struct line {
    char bytes[PIPE_BUF];
    size_t used;
    unsigned suppressed, lost; /* since the last line */
};

/* A message quoted in JSON beside its text. */
struct quoted {
    const void *bytes;
    size_t size;
};

void log_open(struct log *log, enum log_format format, int verbosity)
{
    *log = (struct log){.format = format, .verbosity = verbosity};
    log->counts = &log->own;
    for (int event = 0; event < LOG_EVENTS; event++)
        if (format != LOG_OFF && verbosity >= classes[event].from)
            log->wanted |= 1U << event;
}

void log_share(struct log *log, struct log_counts *counts)
{
    log->counts = counts;
}

/* ---- the rate of a class -------------------------------------------------------------------- */

/* Counts the line, written or not. */
static bool is_within_rate(struct log *log, enum log_event event)
{
    struct log_window *window = &log->counts->windows[event];
    unsigned limit = log->verbosity >= 2 ? classes[event].verbose : classes[event].limit;
    int64_t second;

    if (limit == UNLIMITED)
        return true;
    second = sys.now() / 1000;
    if (atomic_exchange(&window->second, second) != second)
        atomic_store(&window->written, 0);
    if (atomic_fetch_add(&window->written, 1) < limit)
        return true;
    atomic_fetch_add(&window->suppressed, 1);
    return false;
}

/* ---- a line --------------------------------------------------------------------------------- */

static void append(struct line *line, const char *text, size_t size)
{
    if (size < sizeof line->bytes - line->used) {
        memcpy(line->bytes + line->used, text, size);
        line->used += size;
    }
}

static void append_format(struct line *line, const char *format, ...) PARLEY_PRINTF(2, 3);
static void append_format(struct line *line, const char *format, ...)
{
    char text[WHO_SIZE + 8];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append(line, text, strlen(text));
}

/* Quotes text that escape_bytes() has made harmless: in JSON two characters are left to escape. */
static void append_json_text(struct line *line, const char *text)
{
    append(line, "\"", 1);
    for (; *text != '\0'; text++) {
        append(line, "\\", *text == '"' || *text == '\\');
        append(line, text, 1);
    }
    append(line, "\"", 1);
}

/* Days since 1970 as a date; years begin in March, so that the leap day is the last of its year. */
static void date_of(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + 719468; /* since 0000-03-01 */
    int64_t era = shifted / 146097, day_of_era = shifted % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;

    *day = (int)(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    *month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

/* UTC, also in text: machines agree on it, it never jumps, and the C library's conversions take a lock, which
 * a fork in another thread would leave locked in the child. */
static void append_time(struct line *line, char between)
{
    struct timespec now;
    int year, month, day, second;

    clock_gettime(CLOCK_REALTIME, &now);
    date_of(now.tv_sec / 86400, &year, &month, &day);
    second = (int)(now.tv_sec % 86400);
    append_format(line, "%04d-%02d-%02d%c%02d:%02d:%02d.%03dZ", year, month, day, between, second / 3600,
                  second / 60 % 60, second % 60, (int)(now.tv_nsec / 1000000));
}

static void append_text_line(struct line *line, const char *who, const char *text)
{
    append_time(line, ' ');
    append_format(line, "%s%s ", who != NULL ? " " : "", who != NULL ? who : "");
    append(line, text, strlen(text));
    if (line->suppressed > 0)
        append_format(line, " (%u more suppressed)", line->suppressed);
    if (line->lost > 0)
        append_format(line, " (%u lines lost: stderr was full)", line->lost);
}

static void append_json_line(struct line *line, enum log_event event, const char *who, const char *text,
                             const struct quoted *quoted)
{
    char bytes[PREVIEW_SIZE];

    append(line, "{\"time\":\"", 9);
    append_time(line, 'T');
    append_format(line, "\",\"event\":\"%s\",", classes[event].name);
    if (who != NULL) {
        append_format(line, "\"peer\":");
        append_json_text(line, who);
        append(line, ",", 1);
    }
    append_format(line, "\"pid\":%d,\"thread\":%d,\"text\":", (int)getpid(), (int)gettid());
    append_json_text(line, text);
    if (quoted != NULL) {
        escape_bytes(bytes, sizeof bytes, quoted->bytes, quoted->size < PREVIEW ? quoted->size : PREVIEW,
                     "\\", NULL);
        append_format(line, ",\"size\":%zu,\"bytes\":", quoted->size);
        append_json_text(line, bytes);
    }
    if (line->suppressed > 0)
        append_format(line, ",\"suppressed\":%u", line->suppressed);
    if (line->lost > 0)
        append_format(line, ",\"lost\":%u", line->lost);
    append(line, "}", 1);
}

/* `text` is harmless by now. */
static void emit(struct log *log, enum log_event event, const char *who, const char *text,
                 const struct quoted *quoted)
{
    char name[WHO_SIZE];
    struct log_window *window = &log->counts->windows[event];
    struct line line;

    line.used = 0;
    line.suppressed = atomic_exchange(&window->suppressed, 0);
    line.lost = atomic_exchange(&log->counts->lost, 0);
    if (who != NULL) {
        escape_bytes(name, sizeof name, who, strlen(who), "", NULL);
        who = name;
    }
    if (log->format == LOG_JSON)
        append_json_line(&line, event, who, text, quoted);
    else
        append_text_line(&line, who, text);
    line.bytes[line.used++] = '\n';
    if (!stderr_offer(line.bytes, line.used)) {
        atomic_fetch_add(&window->suppressed, line.suppressed);
        atomic_fetch_add(&log->counts->lost, line.lost + 1);
    }
}

void log_vline(struct log *log, enum log_event event, const char *who, const char *format, va_list arguments)
{
    char raw[RAW_SIZE], text[TEXT_SIZE];
    size_t size, used, taken;
    int length;

    if (!log_wants(log, event) || !is_within_rate(log, event))
        return;
    length = vsnprintf(raw, sizeof raw, format, arguments);
    size = strnlen(raw, sizeof raw);
    used = escape_bytes(text, sizeof text - sizeof ellipsis, raw, size, "", &taken);
    if (taken < size || length >= RAW_SIZE)
        memcpy(text + used, ellipsis, sizeof ellipsis);
    emit(log, event, who, text, NULL);
}

void log_line(struct log *log, enum log_event event, const char *who, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_vline(log, event, who, format, arguments);
    va_end(arguments);
}

void log_message(struct log *log, const char *who, const char *what, const void *bytes, size_t size)
{
    const struct quoted quoted = {bytes, size};
    char name[WHAT_SIZE], preview[PREVIEW_SIZE], text[TEXT_SIZE];

    if (!log_wants(log, LOG_MESSAGE) || !is_within_rate(log, LOG_MESSAGE))
        return;
    escape_bytes(name, sizeof name, what, strlen(what), "", NULL);
    escape_bytes(preview, sizeof preview, bytes, size < PREVIEW ? size : PREVIEW, "\\\"", NULL);
    snprintf(text, sizeof text, "%s: %zu byte%s \"%s\"%s", name, size, size == 1 ? "" : "s", preview,
             size > PREVIEW ? ellipsis : "");
    emit(log, LOG_MESSAGE, who, text, &quoted);
}

void log_flush(struct log *log)
{
    for (int event = 0; event < LOG_EVENTS; event++)
        if (atomic_load(&log->counts->windows[event].suppressed) > 0)
            emit(log, (enum log_event)event, NULL, classes[event].name, NULL);
    if (atomic_load(&log->counts->lost) > 0)
        emit(log, LOG_SERVER, NULL, "log", NULL);
}
