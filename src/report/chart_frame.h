/* What line and bar charts have in common: the frame, the legend, the looks of a series. */
#ifndef REPORT_CHART_FRAME_H
#define REPORT_CHART_FRAME_H

#include "report/chart.h"

/* How a series is drawn: classes that html_style.c knows, and the shape of its marks. Different for the first
 * 64 series, and by shape and dashes alone for the first 8. */
struct looks {
    unsigned colour, dashes;
    const char *mark; /* an SVG path around 0,0 */
};
struct looks looks_of(size_t series, bool marks_only);

struct frame {
    const char *title, *description;
    const char *kind;      /* the picture's class: "plot", "bars" */
    unsigned height, left; /* px: of the picture with its texts, of the room for those on its left */
};

/* <figure> and its heading, then, after a legend or nothing, its <svg>, whose content box is where the values
 * are: positions in it are shares of that, and texts stand around it. */
void frame_begin(const struct frame *frame, FILE *out);
void frame_picture(const struct frame *frame, FILE *out);
void frame_end(FILE *out);

/* A mark whose middle stands at shares of the picture's width and height. The caller closes the <svg>. */
void frame_mark(FILE *out, struct looks looks, double x, double y);

/* A bar from the left to a percentage of the width, its dashes on a paler ground; `middle` in px from the
 * top. */
void frame_bar(FILE *out, struct looks looks, double percent, unsigned middle);

/* What stands beside a name in the legend. */
enum key { KEY_LINE, KEY_MARK, KEY_BAR, KEY_STRETCH };

void legend_begin(FILE *out);
void legend_entry(FILE *out, const char *name, struct looks looks, enum key key);
void legend_end(FILE *out);

#endif
