/* The operator's terminal: a line being edited (libedit, with history) below the text that arrives.
 *
 * Arriving text never mixes with the typed line: the line is taken away, the text written, the line drawn
 * again. An unfinished last line of the text stands before the prompt, as "login: " should. */
#ifndef COMMAND_TERMINAL_H
#define COMMAND_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

struct terminal;

/* Whether standard input and output are a terminal that can move its cursor. */
bool terminal_is_possible(void);
/* NULL when it cannot be had. `prompt` must outlive it. Nothing shows before terminal_start(). */
struct terminal *terminal_open(const char *prompt);
/* Leaves the terminal as it was found. NULL is allowed. */
void terminal_close(struct terminal *terminal);

/* Shows the prompt and edits from now on; or gives the terminal back, the typed line kept for later. Without
 * a terminal, NULL, neither does anything. */
void terminal_start(struct terminal *terminal);
void terminal_stop(struct terminal *terminal);

enum terminal_event { TERMINAL_MORE, TERMINAL_LINE, TERMINAL_END };

/* Takes one key; call it when standard input is readable. For TERMINAL_LINE, `*line` is the line, its
 * `*size` bytes ending in LF; it lives until the next call. TERMINAL_END: ^D on an empty line, or the
 * terminal has gone. */
enum terminal_event terminal_key(struct terminal *terminal, const char **line, size_t *size);
/* Whether another key has been typed already. */
bool terminal_has_key(void);

/* Shows text that is safe to show. */
void terminal_show(struct terminal *terminal, const char *text, size_t size);
/* The window has another size. */
void terminal_resized(struct terminal *terminal);

#endif
