/* The looks of a page, as CSS. */
#ifndef LOAD_HTML_STYLE_H
#define LOAD_HTML_STYLE_H

extern const char html_style[];  /* type, colours, sections, numbers, tables */
extern const char chart_style[]; /* charts: their series' colours, dashes and texts */

#endif
