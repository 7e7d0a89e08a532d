/* Charts as inline SVG in an HTML page: lines over an axis, and horizontal bars. Nothing in them needs a
 * script; they are as wide as the place they are in, and their text keeps its size (html.h has their styles).
 *
 * A series is told from the others by its colour, by its dashes and by the shape of its marks, so that no
 * colour needs to be seen. Texts may come from outside: they are escaped here. A y or a bar that is NaN,
 * infinite or negative is not known, and leaves a gap. All that is pointed to is the caller's and only read;
 * the functions write to `out`, whose error flag (ferror) tells what became of it. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What numbers mean, and so how they and the steps of an axis are written. */
enum chart_unit {
    UNIT_COUNT, /* 1250000 is "1.25 M", 1250 is "1250" */
    UNIT_RATE,  /* a second: "1.25 M/s" */
    UNIT_TIME,  /* given in ns: "1.25 ms" */
    UNIT_BYTES, /* "1.25 MiB" */
    UNIT_SHARE, /* 0.125 is "12.5 %" */
    UNIT_RATIO  /* 1.25 is "1.25×" */
};

enum chart_scale {
    SCALE_LINEAR,    /* from 0, or from below it where the values do */
    SCALE_LOGARITHM, /* for values that differ by powers of ten; 0 and less have no place */
    SCALE_PERCENTILE /* 0, 90, 99, 99.9 %: a tenth of what was left is left at each step; 100 has no place */
};

struct chart_axis {
    const char *label;    /* "response time"; NULL: the steps say enough */
    enum chart_unit unit; /* SCALE_PERCENTILE: not looked at, values are 0 to 100 */
    enum chart_scale scale;
    double least, most; /* shown whatever the series hold; both 0: as the series are */
};

struct chart_point {
    double x, y;
};

struct chart_series {
    const char *name;
    const struct chart_point *points; /* from left to right */
    size_t count;
    bool marks_only; /* single events: red crosses, no line */
};

/* A stretch of the x axis that is shaded and named: "warm-up". */
struct chart_stretch {
    double from, to;
    const char *name; /* NULL: there is none */
};

struct chart {
    const char *title;
    const char *description; /* a sentence or two on what is seen and how to read it; NULL none */
    struct chart_axis x, y;
    const struct chart_series *series;
    size_t series_count;
    struct chart_stretch stretch;
};

/* A <figure>: the title, what it shows, a legend when there is more than one series, the picture. */
void chart_lines(const struct chart *chart, FILE *out);

/* One bar of a row: a series' value there. `least` and `most`, when they differ, are drawn as a whisker: how
 * far its measurements lay apart. */
struct chart_bar {
    double value, least, most;
};

struct bar_series {
    const char *name;
    const struct chart_bar *bars; /* one for each row */
};

struct bar_chart {
    const char *title;
    const char *description;
    enum chart_unit unit;
    double
        most; /* the bars' scale goes at least so far: 1 for shares; 0: as far as they do. It begins at 0. */
    const char *const *rows; /* their names, from the top */
    size_t row_count;
    const struct bar_series *series; /* drawn one below the other in each row */
    size_t series_count;
};

/* The same for bars, each with its value written at its end; "not known" where there is none. */
void chart_bars(const struct bar_chart *chart, FILE *out);

/* ---- chart_unit.c ---- */

enum { UNIT_ROOM = 32 };

/* Writes a value as people read it, with 3 significant digits: "1.25 ms"; "–" when it is not known.
 * Independent of the locale. Returns `text`, which has UNIT_ROOM. */
const char *unit_text(char text[UNIT_ROOM], enum chart_unit unit, double value);

#endif
