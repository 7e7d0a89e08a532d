#include "command/terminal.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum {
    HISTORY_LINES = 1000,
    /* A longer unfinished line is no prompt of the peer's: it gets a line of its own. */
    PARTIAL_LIMIT = 1024,
    PROMPT_ROOM = 256,
    END_OF_INPUT = 'd' & 0x1f
};

struct terminal {
    EditLine *edit;
    History *history;
    bool active;   /* the line is shown and edited */
    bool mid_line; /* while not active: the last text shown had no end */
    char *line;    /* the last one taken */
    char *kept;    /* typed before terminal_stop() */
    size_t partial_size;
    char shown_prompt[PARTIAL_LIMIT + PROMPT_ROOM]; /* the peer's unfinished line, then the prompt */
    const char *prompt;
};

/* For the handler of a crash: what the terminal was before us. */
static struct termios original;
static volatile sig_atomic_t is_changed;

static void crashed(int number)
{
    if (is_changed)
        tcsetattr(STDIN_FILENO, TCSANOW, &original);
    raise(number);
}

static void guard_against_crashes(void)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_handler = crashed, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        sigaction(crashes[i], &action, NULL);
}

bool terminal_is_possible(void)
{
    const char *type = getenv("TERM");
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && type != NULL && *type != '\0' &&
           strcmp(type, "dumb") != 0;
}

static char *prompt_of(EditLine *edit)
{
    struct terminal *terminal = NULL;
    el_get(edit, EL_CLIENTDATA, &terminal);
    return terminal->shown_prompt;
}

/* What stands before the typed line: the peer's unfinished line, kept in place, and the prompt. */
static void compose_prompt(struct terminal *terminal)
{
    snprintf(terminal->shown_prompt + terminal->partial_size, PROMPT_ROOM, "%s", terminal->prompt);
}

static void set_up_history(struct terminal *terminal)
{
    HistEvent event;
    terminal->history = history_init();
    if (terminal->history != NULL) {
        history(terminal->history, &event, H_SETSIZE, HISTORY_LINES);
        history(terminal->history, &event, H_SETUNIQUE, 1);
        el_set(terminal->edit, EL_HIST, history, terminal->history);
    }
}

/* libedit reads the bytes typed as the locale says. Only the character set is wanted, never a language. */
static struct terminal *set_up(struct terminal *terminal)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    terminal->edit = el_init("parley", stdin, stdout, stderr);
    if (terminal->edit == NULL) {
        free(terminal);
        return NULL;
    }
    el_set(terminal->edit, EL_CLIENTDATA, terminal);
    el_set(terminal->edit, EL_PROMPT, prompt_of);
    el_set(terminal->edit, EL_EDITOR, "emacs");
    el_set(terminal->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    set_up_history(terminal);
    el_source(terminal->edit, NULL);
    guard_against_crashes();
    return terminal;
}

struct terminal *terminal_open(const char *prompt)
{
    struct terminal *terminal = calloc(1, sizeof *terminal);
    if (terminal == NULL || tcgetattr(STDIN_FILENO, &original) != 0) {
        free(terminal);
        return NULL;
    }
    terminal->prompt = prompt;
    compose_prompt(terminal);
    return set_up(terminal);
}

static void end_line(struct terminal *terminal)
{
    if (terminal->mid_line) {
        putc('\n', stdout);
        terminal->mid_line = false;
    }
}

void terminal_close(struct terminal *terminal)
{
    if (terminal == NULL)
        return;
    terminal_stop(terminal);
    end_line(terminal);
    fflush(stdout);
    el_end(terminal->edit);
    if (terminal->history != NULL)
        history_end(terminal->history);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &original);
    free(terminal->kept);
    free(terminal->line);
    free(terminal);
}

/* Columns that `size` bytes of text take, as libedit shows them: ^X for a control character. */
static size_t width_of(const char *text, size_t size)
{
    mbstate_t state = {0};
    size_t width = 0;
    while (size > 0) {
        wchar_t character;
        size_t length = mbrtowc(&character, text, size, &state);
        if (length == 0 || length > size) {
            length = 1;
            character = L'?';
            memset(&state, 0, sizeof state);
        }
        int columns = wcwidth(character);
        width += columns >= 0 ? (size_t)columns : 2;
        text += length;
        size -= length;
    }
    return width;
}

static size_t terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void put(const char *text, size_t size)
{
    fwrite(text, 1, size, stdout);
}

/* Takes prompt and typed line off the screen: up to their first row, then all below. */
static void erase_line(struct terminal *terminal)
{
    const LineInfo *info = el_line(terminal->edit);
    size_t width = width_of(terminal->shown_prompt, strlen(terminal->shown_prompt)) +
                   width_of(info->buffer, (size_t)(info->cursor - info->buffer));
    size_t rows = width / terminal_columns();
    putc('\r', stdout);
    if (rows > 0)
        fprintf(stdout, "\033[%zuA", rows);
    fputs("\033[J", stdout);
}

void terminal_start(struct terminal *terminal)
{
    if (terminal == NULL || terminal->active)
        return;
    end_line(terminal);
    terminal->active = true;
    is_changed = 1;
    el_set(terminal->edit, EL_UNBUFFERED, 1);
    if (terminal->kept != NULL) {
        erase_line(terminal);
        el_insertstr(terminal->edit, terminal->kept);
        el_set(terminal->edit, EL_REFRESH);
        free(terminal->kept);
        terminal->kept = NULL;
    }
    fflush(stdout);
}

static void keep_typed(struct terminal *terminal)
{
    const LineInfo *info = el_line(terminal->edit);
    size_t size = (size_t)(info->lastchar - info->buffer);
    free(terminal->kept);
    terminal->kept = size > 0 ? strndup(info->buffer, size) : NULL;
}

void terminal_stop(struct terminal *terminal)
{
    if (terminal == NULL || !terminal->active)
        return;
    keep_typed(terminal);
    erase_line(terminal);
    if (terminal->partial_size > 0) {
        put(terminal->shown_prompt, terminal->partial_size);
        putc('\n', stdout);
        terminal->partial_size = 0;
        compose_prompt(terminal);
    }
    fflush(stdout);
    terminal->active = false;
    el_set(terminal->edit, EL_UNBUFFERED, 0);
    is_changed = 0;
}

/* The line stays on the screen; a new prompt shows below it. */
static enum terminal_event take_line(struct terminal *terminal, const char *text, size_t size)
{
    HistEvent event;
    free(terminal->line);
    terminal->line = strndup(text, size);
    if (terminal->line == NULL)
        return TERMINAL_END;
    if (size > 1 && terminal->history != NULL)
        history(terminal->history, &event, H_ENTER, terminal->line);
    terminal->partial_size = 0;
    compose_prompt(terminal);
    el_set(terminal->edit, EL_UNBUFFERED, 0);
    el_set(terminal->edit, EL_UNBUFFERED, 1);
    fflush(stdout);
    return TERMINAL_LINE;
}

static bool has_hung_up(void)
{
    struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&wait, 1, 0) > 0 && (wait.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

enum terminal_event terminal_key(struct terminal *terminal, const char **line, size_t *size)
{
    int count = -1;
    const char *text = el_gets(terminal->edit, &count);
    fflush(stdout);
    if (text != NULL && count > 0 && text[count - 1] == '\n') {
        enum terminal_event event = take_line(terminal, text, (size_t)count);
        *line = terminal->line;
        *size = (size_t)count;
        return event;
    }
    /* At ^D on an empty line libedit leaves that character; -1 is a failed read and an empty line alike. */
    bool end = text != NULL && count == 1 && text[0] == END_OF_INPUT;
    if (end)
        el_deletestr(terminal->edit, 1);
    return end || (count < 0 && has_hung_up()) ? TERMINAL_END : TERMINAL_MORE;
}

bool terminal_has_key(void)
{
    struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&wait, 1, 0) > 0;
}

/* What follows the last line feed waits before the prompt for its rest. */
static void keep_partial(struct terminal *terminal, const char *text, size_t size)
{
    if (terminal->partial_size + size > PARTIAL_LIMIT) {
        put(terminal->shown_prompt, terminal->partial_size);
        put(text, size);
        putc('\n', stdout);
        terminal->partial_size = 0;
    } else {
        memcpy(terminal->shown_prompt + terminal->partial_size, text, size);
        terminal->partial_size += size;
    }
    compose_prompt(terminal);
}

void terminal_show(struct terminal *terminal, const char *text, size_t size)
{
    const char *last = memrchr(text, '\n', size);
    size_t whole = last != NULL ? (size_t)(last - text) + 1 : 0;
    if (size == 0)
        return;
    if (!terminal->active) {
        put(text, size);
        fflush(stdout);
        terminal->mid_line = text[size - 1] != '\n';
        return;
    }
    erase_line(terminal);
    if (whole > 0) {
        put(terminal->shown_prompt, terminal->partial_size);
        put(text, whole);
        terminal->partial_size = 0;
    }
    keep_partial(terminal, text + whole, size - whole);
    el_set(terminal->edit, EL_REFRESH);
    fflush(stdout);
}

void terminal_resized(struct terminal *terminal)
{
    el_resize(terminal->edit);
}
