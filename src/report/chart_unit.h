/* How numbers are written beside each other. */
#ifndef REPORT_CHART_UNIT_H
#define REPORT_CHART_UNIT_H

#include "report/chart.h"

/* What is larger is not looked at: steps and shares of it could overflow. */
#define LARGEST 1e300

/* Not NaN, not infinite, not negative. */
bool is_known(double value);

/* As unit_text(), but in the unit that `like` would be written in, so that the steps of an axis share theirs.
 * `value` may be negative; 0 has no unit. */
const char *unit_text_like(char text[UNIT_ROOM], enum chart_unit unit, double value, double like);

#endif
