#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/sys.h"
#include "captured.h"

enum { STAMP = 24 }; /* "2026-11-21 02:30:00.123Z" */

static struct captured captured;
static struct sys before;
static int64_t clock_ms;
static char said[1 << 17];

static int64_t our_clock(void)
{
    return clock_ms;
}

static int capture(void **state)
{
    (void)state;
    before = sys;
    sys.now = our_clock;
    clock_ms = 1000000;
    capture_stderr(&captured);
    return 0;
}

static int release(void **state)
{
    (void)state;
    sys = before;
    release_stderr(&captured);
    return 0;
}

static const char *read_said(void)
{
    read_captured(&captured, said, sizeof said);
    return said;
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* ---- text ----------------------------------------------------------------------------------- */

static void a_line_has_time_peer_and_text(void **state)
{
    struct log log;
    struct tm parts = {0};
    const char *line;
    time_t now = time(NULL), told;

    (void)state;
    log_open(&log, LOG_TEXT, 1);
    log_line(&log, LOG_OPENED, "127.0.0.1:40000", "connected as %s", "you\xe5");
    line = read_said();
    assert_string_equal(line + STAMP, " 127.0.0.1:40000 connected as you\\xe5\n");
    assert_non_null(strptime(line, "%Y-%m-%d %H:%M:%S", &parts));
    told = timegm(&parts);
    assert_true(told >= now - 1 && told <= now + 1);
    assert_int_equal(line[19], '.');
    assert_int_equal(line[23], 'Z');
    log_line(&log, LOG_SERVER, NULL, "stopped");
    assert_string_equal(read_said() + STAMP, " stopped\n");
}

static void hostile_text_stays_one_line(void **state)
{
    struct log log;
    const char *line;

    (void)state;
    log_open(&log, LOG_TEXT, 1);
    log_line(&log, LOG_HANDLER, "evil\npeer", "%s", "a\r\nforged line\x1b]52;c;x\a");
    line = read_said();
    assert_string_equal(line + STAMP, " evil\\npeer a\\r\\nforged line\\x1b]52;c;x\\x07\n");
}

static void long_text_is_cut_and_fits_a_pipe(void **state)
{
    static char text[20000];
    struct log log;
    const char *line;

    (void)state;
    for (int byte = 1; byte < 256; byte += 63) {
        memset(text, byte, sizeof text - 1);
        for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
            log_open(&log, (enum log_format)format, 2);
            log_line(&log, LOG_HANDLER, text, "%s", text);
            log_message(&log, text, text, text, sizeof text);
            line = read_said();
            assert_int_equal(lines_of(line), 2);
            assert_true(strchr(line, '\n') - line < PIPE_BUF);
            assert_true(strlen(line) < 2 * PIPE_BUF);
        }
    }
    log_open(&log, LOG_TEXT, 1);
    log_line(&log, LOG_HANDLER, NULL, "%s", text);
    assert_non_null(strstr(read_said(), "…\n"));
}

static void messages_are_quoted(void **state)
{
    struct log log;
    char long_message[300];

    (void)state;
    memset(long_message, 'x', sizeof long_message);
    log_open(&log, LOG_TEXT, 1);
    log_message(&log, "peer", "message", "hello\n", 6);
    assert_string_equal(read_said() + STAMP, " peer message: 6 bytes \"hello\\n\"\n");
    log_message(&log, "peer", "message", "a\"\\\0", 4);
    assert_string_equal(read_said() + STAMP, " peer message: 4 bytes \"a\\\"\\\\\\x00\"\n");
    log_message(&log, "peer", "message", "", 1);
    assert_string_equal(read_said() + STAMP, " peer message: 1 byte \"\\x00\"\n");
    log_message(&log, "peer", "message", long_message, sizeof long_message);
    assert_non_null(strstr(read_said(), "300 bytes \"xxx"));
    assert_non_null(strstr(said, "xxx\"…\n"));
}

static void verbosity_chooses_the_classes(void **state)
{
    struct log log;

    (void)state;
    log_open(&log, LOG_TEXT, 0);
    assert_true(log_wants(&log, LOG_ACCEPT) && log_wants(&log, LOG_CONN) && log_wants(&log, LOG_FAULT));
    assert_false(log_wants(&log, LOG_SERVER) || log_wants(&log, LOG_MESSAGE) || log_wants(&log, LOG_DETAIL));
    log_line(&log, LOG_OPENED, "peer", "connected");
    log_message(&log, "peer", "message", "x", 1);
    assert_string_equal(read_said(), "");
    log_open(&log, LOG_TEXT, 1);
    assert_true(log_wants(&log, LOG_OPENED) && !log_wants(&log, LOG_DETAIL));
    log_open(&log, LOG_TEXT, 2);
    assert_true(log_wants(&log, LOG_DETAIL));
    log_open(&log, LOG_OFF, 2);
    assert_false(log_wants(&log, LOG_SERVER));
    log_line(&log, LOG_SERVER, NULL, "stopped");
    assert_string_equal(read_said(), "");
}

/* ---- the rate ------------------------------------------------------------------------------- */

static void failures_are_told_once_a_second(void **state)
{
    struct log log;

    (void)state;
    for (int verbosity = 0; verbosity <= 2; verbosity++) {
        log_open(&log, LOG_TEXT, verbosity);
        for (int i = 0; i < 13; i++)
            log_line(&log, LOG_CONN, "peer", "reset");
        log_line(&log, LOG_ACCEPT, NULL, "another class");
        assert_int_equal(lines_of(read_said()), 2);
        clock_ms += 1000;
        log_line(&log, LOG_CONN, "peer", "reset");
        assert_string_equal(read_said() + STAMP, " peer reset (12 more suppressed)\n");
        clock_ms += 1000;
        log_line(&log, LOG_CONN, "peer", "reset");
        assert_string_equal(read_said() + STAMP, " peer reset\n");
        clock_ms += 1000;
    }
}

static void comings_are_told_a_hundred_times_a_second(void **state)
{
    struct log log;

    (void)state;
    log_open(&log, LOG_TEXT, 1);
    for (int i = 0; i < 250; i++) {
        log_line(&log, LOG_OPENED, "peer", "connected");
        log_message(&log, "peer", "message", "x", 1);
    }
    assert_int_equal(lines_of(read_said()), 200);
    log_flush(&log);
    assert_int_equal(lines_of(read_said()), 2);
    assert_non_null(strstr(said, " opened (150 more suppressed)\n"));
    assert_non_null(strstr(said, " message (150 more suppressed)\n"));
    log_flush(&log);
    assert_string_equal(read_said(), "");
    log_open(&log, LOG_TEXT, 2);
    for (int i = 0; i < 250; i++)
        log_line(&log, LOG_OPENED, "peer", "connected");
    assert_int_equal(lines_of(read_said()), 250);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* A strict reader of one flat object; NULL where it is not JSON. */
static const char *skip_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        uint32_t character;
        size_t length = utf8_length((const unsigned char *)at, strlen(at), &character);
        if (length == 0 || character < 0x20)
            return NULL;
        if (*at == '\\' && strchr("\"\\/bfnrt", at[1]) == NULL)
            return NULL;
        at += *at == '\\' ? 2 : length;
    }
    return at + 1;
}

static const char *skip_value(const char *at)
{
    size_t digits = strspn(at, "0123456789");

    return digits > 0 ? at + digits : skip_string(at);
}

static void assert_json(const char *line)
{
    const char *at = line;

    do {
        at = at != NULL && (*at == '{' || *at == ',') ? skip_string(at + 1) : NULL;
        at = at != NULL && *at == ':' ? skip_value(at + 1) : NULL;
    } while (at != NULL && *at == ',');
    if (at == NULL || strncmp(at, "}\n", 2) != 0)
        fail_msg("not JSON: %s", line);
}

static void json_has_its_fields(void **state)
{
    struct log log;
    char pid[32];

    (void)state;
    log_open(&log, LOG_JSON, 1);
    log_line(&log, LOG_OPENED, "127.0.0.1:40000", "connected");
    assert_json(read_said());
    snprintf(pid, sizeof pid, "\"pid\":%d,", getpid());
    assert_int_equal(strncmp(said, "{\"time\":\"", 9), 0);
    assert_non_null(strstr(said, "Z\",\"event\":\"opened\",\"peer\":\"127.0.0.1:40000\",\"pid\":"));
    assert_non_null(strstr(said, pid));
    assert_non_null(strstr(said, ",\"text\":\"connected\"}\n"));
    log_message(&log, "peer", "message", "say \"hi\"\n", 9);
    assert_json(read_said());
    assert_non_null(strstr(said, "\"text\":\"message: 9 bytes \\\"say \\\\\\\"hi\\\\\\\"\\\\n\\\"\""));
    assert_non_null(strstr(said, ",\"size\":9,\"bytes\":\"say \\\"hi\\\"\\\\n\"}\n"));
    log_open(&log, LOG_JSON, 1);
    log_line(&log, LOG_CONN, NULL, "reset");
    log_line(&log, LOG_CONN, NULL, "reset");
    read_said();
    log_flush(&log);
    assert_json(read_said());
    assert_non_null(strstr(said, ",\"suppressed\":1}\n"));
    assert_null(strstr(said, "peer"));
}

static void any_bytes_make_valid_json(void **state)
{
    struct log log;

    (void)state;
    log_open(&log, LOG_JSON, 2);
    for (int round = 0; round < 3000; round++) {
        char bytes[2000];
        size_t size = (size_t)rand() % sizeof bytes;
        int low = rand() % 256, span = 1 + rand() % 256;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (char)(low + rand() % span);
        bytes[size > 0 ? size - 1 : 0] = '\0';
        log_message(&log, bytes, bytes, bytes, size);
        assert_json(read_said());
        log_line(&log, LOG_HANDLER, bytes, "%s", bytes);
        assert_json(read_said());
        assert_int_equal(lines_of(said), 1);
    }
}

/* ---- a reader that does not read ------------------------------------------------------------ */

static void a_full_pipe_costs_lines_not_time(void **state)
{
    struct log log;
    unsigned lost;

    (void)state;
    log_open(&log, LOG_TEXT, 2);
    alarm(10); /* a blocked write would never come back */
    for (int i = 0; i < 5000; i++)
        log_line(&log, LOG_OPENED, "peer", "connected, with some text to fill the pipe sooner");
    alarm(0);
    lost = log.own.lost;
    assert_true(lost > 1000);
    assert_int_equal(lines_of(read_said()), 5000 - lost);
    log_line(&log, LOG_SERVER, NULL, "back");
    snprintf(said, sizeof said, " back (%u lines lost: stderr was full)\n", lost);
    {
        char line[256];
        read_captured(&captured, line, sizeof line);
        assert_string_equal(line + STAMP, said);
    }
    log_flush(&log);
    assert_string_equal(read_said(), "");
}

static void a_gone_reader_kills_nobody(void **state)
{
    struct log log;
    sigset_t pending;

    (void)state;
    log_open(&log, LOG_TEXT, 1);
    close(captured.reader);
    captured.reader = -1;
    log_line(&log, LOG_SERVER, NULL, "nobody hears this");
    assert_int_equal(log.own.lost, 1);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
}

static void a_stopped_terminal_costs_lines_not_time(void **state)
{
    struct log log;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY), line;

    (void)state;
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    line = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(line >= 0 && dup2(line, STDERR_FILENO) == STDERR_FILENO);
    log_open(&log, LOG_TEXT, 2);
    alarm(10);
    for (int i = 0; i < 5000; i++)
        log_line(&log, LOG_OPENED, "peer", "connected, with some text to fill the terminal sooner");
    alarm(0);
    assert_true(log.own.lost > 1000);
    close(line);
    close(terminal);
}

static void a_closed_stderr_is_no_fault(void **state)
{
    struct log log;

    (void)state;
    close(STDERR_FILENO);
    log_open(&log, LOG_TEXT, 1);
    log_line(&log, LOG_SERVER, NULL, "nowhere");
    log_flush(&log);
    assert_true(log.own.lost > 0);
}

static void errno_survives(void **state)
{
    struct log log;

    (void)state;
    log_open(&log, LOG_TEXT, 1);
    close(captured.reader);
    captured.reader = -1;
    errno = ENOTTY;
    log_line(&log, LOG_SERVER, NULL, "lost");
    assert_int_equal(errno, ENOTTY);
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, capture, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(a_line_has_time_peer_and_text),
        CAPTURED(hostile_text_stays_one_line),
        CAPTURED(long_text_is_cut_and_fits_a_pipe),
        CAPTURED(messages_are_quoted),
        CAPTURED(verbosity_chooses_the_classes),
        CAPTURED(failures_are_told_once_a_second),
        CAPTURED(comings_are_told_a_hundred_times_a_second),
        CAPTURED(json_has_its_fields),
        CAPTURED(any_bytes_make_valid_json),
        CAPTURED(a_full_pipe_costs_lines_not_time),
        CAPTURED(a_gone_reader_kills_nobody),
        CAPTURED(a_stopped_terminal_costs_lines_not_time),
        CAPTURED(a_closed_stderr_is_no_fault),
        CAPTURED(errno_survives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
