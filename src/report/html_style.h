/* The looks of a page, as CSS. */
#ifndef REPORT_HTML_STYLE_H
#define REPORT_HTML_STYLE_H

/* A style sheet as it is written, made a string by the preprocessor. */
#define CSS(...) #__VA_ARGS__ "\n"

extern const char html_style[];  /* type, colours, sections, numbers, tables */
extern const char chart_style[]; /* series' colours and dashes, legends, the texts of charts */

#endif
