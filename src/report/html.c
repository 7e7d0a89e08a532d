#include "report/html.h"
#include "base/escape.h"
#include "report/html_style.h"
#include <stdarg.h>
#include <string.h>

enum { MOST_FORMATTED = 1024 };

/* ---- text ---- */

static void put_entities(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default: fputc(*text, out);
        }
}

static void put_part(FILE *out, const char *text, size_t size)
{
    size_t taken;
    for (; size > 0; text += taken, size -= taken) {
        char part[256];
        escape_bytes(part, sizeof part, text, size, "", &taken);
        put_entities(out, part);
    }
}

void html_text(FILE *out, const char *text)
{
    put_part(out, text, text ? strlen(text) : 0);
}

void html_prose(FILE *out, const char *text)
{
    for (const char *space; text && (space = strchr(text, ' ')); text = space + 1) {
        bool after_digit = space > text && space[-1] >= '0' && space[-1] <= '9';
        put_part(out, text, (size_t)(space - text));
        fputs(after_digit ? "&nbsp;" : " ", out);
    }
    html_text(out, text);
}

void html_format(FILE *out, const char *format, ...)
{
    char text[MOST_FORMATTED];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    html_text(out, text);
}

static void put_element(FILE *out, const char *open, const char *text, const char *close)
{
    if (!text)
        return;
    fputs(open, out);
    html_text(out, text);
    fputs(close, out);
}

static void put_prose(FILE *out, const char *open, const char *text, const char *close)
{
    if (!text)
        return;
    fputs(open, out);
    html_prose(out, text);
    fputs(close, out);
}

/* ---- the page ---- */

void html_begin(FILE *out, const char *title)
{
    /* Nothing may be loaded or run, even if a text found its way through the escaping. */
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" "
          "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n",
          out);
    put_element(out, "<title>", title, "</title>\n");
    fputs("<style>\n", out);
    fputs(html_style, out);
    fputs(chart_style, out);
    fputs("</style>\n</head>\n<body>\n<main>\n", out);
}

void html_end(FILE *out)
{
    fputs("</main>\n<footer>Written by parley ", out);
    html_text(out, parley_version());
    fputs(".</footer>\n</body>\n</html>\n", out);
}

void html_heading(FILE *out, const char *kind, const char *heading, const char *note)
{
    fputs("<header>\n", out);
    put_element(out, "<p class=\"kind\">", kind, "</p>\n");
    put_element(out, "<h1>", heading, "</h1>\n");
    put_prose(out, "<p class=\"note\">", note, "</p>\n");
    fputs("</header>\n", out);
}

void html_section(FILE *out, const char *heading, const char *note)
{
    put_element(out, "<section>\n<h2>", heading, "</h2>\n");
    put_prose(out, "<p class=\"note\">", note, "</p>\n");
}

void html_section_end(FILE *out)
{
    fputs("</section>\n", out);
}

void html_banner(FILE *out, const char *heading, const char *text)
{
    put_element(out, "<div class=\"banner\" role=\"alert\"><strong>", heading, "</strong>");
    put_prose(out, " <span>", text, "</span>");
    fputs("</div>\n", out);
}

/* ---- numbers ---- */

void html_numbers(FILE *out)
{
    fputs("<dl class=\"numbers\">\n", out);
}

static void put_number(FILE *out, const char *open, const char *name, const char *value, const char *note)
{
    put_element(out, open, name, "</dt>");
    put_element(out, "<dd>", value, "</dd>");
    put_prose(out, "<dd class=\"note\">", note, "</dd>");
    fputs("</div>\n", out);
}

void html_number(FILE *out, const char *name, const char *value, const char *note)
{
    put_number(out, "<div><dt>", name, value, note);
}

void html_number_bad(FILE *out, const char *name, const char *value, const char *note)
{
    put_number(out, "<div class=\"bad\"><dt>", name, value, note);
}

void html_numbers_end(FILE *out)
{
    fputs("</dl>\n", out);
}

/* ---- facts ---- */

static const char *known(const char *value)
{
    return value && *value ? value : "not known";
}

void html_facts(FILE *out)
{
    fputs("<dl class=\"facts\">\n", out);
}

void html_command(FILE *out, const char *command_line)
{
    put_element(out, "<dt class=\"wide\">Command</dt><dd class=\"wide\"><code>", known(command_line),
                "</code></dd>\n");
}

void html_fact(FILE *out, const char *name, const char *value)
{
    put_element(out, "<dt>", name, "</dt>");
    put_element(out, "<dd>", known(value), "</dd>\n");
}

void html_facts_end(FILE *out)
{
    fputs("</dl>\n", out);
}

/* ---- tables ---- */

/* Calls `put` for each of the columns, whose names are separated by '|'. */
static void each_column(FILE *out, const char *columns,
                        void (*put)(FILE *out, unsigned column, const char *name, int length, bool is_text))
{
    for (unsigned column = 1; columns; column++) {
        int length = (int)strcspn(columns, "|");
        bool is_text = *columns == '<';
        put(out, column, columns + is_text, length - is_text, is_text);
        columns = columns[length] ? columns + length + 1 : NULL;
    }
}

/* The table's classes name its columns of text, so that a row need not know them. */
static void put_class(FILE *out, unsigned column, const char *name, int length, bool is_text)
{
    (void)name, (void)length;
    if (is_text)
        fprintf(out, " text-%u", column);
}

static void put_column(FILE *out, unsigned column, const char *name, int length, bool is_text)
{
    (void)column, (void)is_text;
    fputs("<th scope=\"col\">", out);
    html_format(out, "%.*s", length, name);
    fputs("</th>", out);
}

void html_table(FILE *out, const char *caption, const char *columns)
{
    /* What scrolls must be reached by the keyboard too. */
    put_element(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", caption, "\">");
    fputs("<table class=\"table", out);
    each_column(out, columns, put_class);
    fputs("\">", out);
    put_element(out, "<caption>", caption, "</caption>");
    fputs("\n<thead><tr>", out);
    each_column(out, columns, put_column);
    fputs("</tr></thead>\n<tbody>\n", out);
}

void html_cells(FILE *out, const char *const cells[])
{
    put_element(out, "<tr><th scope=\"row\">", cells[0], "</th>");
    for (size_t i = 1; cells[i]; i++)
        put_element(out, "<td>", cells[i], "</td>");
    fputs("</tr>\n", out);
}

void html_table_end(FILE *out)
{
    fputs("</tbody></table></div>\n", out);
}
