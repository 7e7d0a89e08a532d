/* Parts of a self-contained HTML page: its head with the styles of everything below, text made harmless, and
 * tables. All write to `out`, whose error flag (ferror) tells what became of it. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <parley.h>
#include <stdbool.h>
#include <stdio.h>

/* Text that may come from outside: &, <, >, quotes as entities; control characters, marks that turn the
 * reading order, and bytes that are no UTF-8 as \xNN. Fit for an element and for a quoted attribute. NULL is
 * nothing. */
void html_text(FILE *out, const char *text);
/* The same for sentences: a number stays on the line of what it counts. */
void html_prose(FILE *out, const char *text);
/* As html_text() for what a format makes; cut at 1 KiB. */
void html_format(FILE *out, const char *format, ...) PARLEY_PRINTF(2, 3);

/* Everything up to and with <main>: the title is the window's. The page follows the reader's choice of light
 * or dark, prints, and fits a phone. */
void html_begin(FILE *out, const char *title);
/* </main> and a foot that says which parley wrote it. */
void html_end(FILE *out);

/* What the page is about: `kind` small above it ("parley load"), `note` small below it, NULL none. */
void html_heading(FILE *out, const char *kind, const char *heading, const char *note);

/* A <section> with its heading; `note` below it, NULL none. */
void html_section(FILE *out, const char *heading, const char *note);
void html_section_end(FILE *out);

/* A table that scrolls by itself where it is too wide. `columns` are its headings, separated by '|'; one that
 * begins with '<' is text, flush left; the others are numbers. */
void html_table(FILE *out, const char *caption, const char *columns);
/* A row of it: html_row(out, cell, ...), a text for each column. */
#define html_row(out, ...) html_cells(out, (const char *const[]){__VA_ARGS__, NULL})
void html_cells(FILE *out, const char *const cells[]);
void html_table_end(FILE *out);

/* A row of headline numbers: each a name and a value, `note` small below it, NULL none. */
void html_numbers(FILE *out);
void html_number(FILE *out, const char *name, const char *value, const char *note);
void html_number_bad(FILE *out, const char *name, const char *value,
                     const char *note); /* and it should not be */
void html_numbers_end(FILE *out);

/* A list of facts: a name and what is known of it, "not known" where that is NULL or empty; a command line
 * takes the whole width. */
void html_facts(FILE *out);
void html_command(FILE *out, const char *command_line);
void html_fact(FILE *out, const char *name, const char *value);
void html_facts_end(FILE *out);

/* A banner above everything: the run is not what it was to be. `heading` is loud, `text` says why. */
void html_banner(FILE *out, const char *heading, const char *text);

#endif
