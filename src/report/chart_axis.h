/* Where a value stands on an axis, and which values are written beside it. */
#ifndef REPORT_CHART_AXIS_H
#define REPORT_CHART_AXIS_H

#include "report/chart.h"
#include <math.h>

enum { AXIS_STEPS = 16 };

/* Least and most of some values; `least` is above `most` while there are none. */
struct extent {
    double least, most;
};

#define EXTENT_NONE ((struct extent){INFINITY, -INFINITY})

void extent_take(struct extent *extent, double value);

struct axis {
    enum chart_unit unit;
    enum chart_scale scale;
    double least, most;
    double steps[AXIS_STEPS]; /* ascending, none outside of the axis */
    size_t step_count;
};

/* An axis that shows `values` and what its wish asks for; `whole`: it ends at a step. */
struct axis axis_fit(const struct chart_axis *wish, struct extent values, bool whole);

/* 0 at its begin, 1 at its end; NaN for a value that has no place. */
double axis_place(const struct axis *axis, double value);

/* What is written beside its step: "99.9 %", "250 ms". */
const char *axis_text(char text[UNIT_ROOM], const struct axis *axis, double step);

#endif
