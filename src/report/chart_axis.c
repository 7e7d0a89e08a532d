#include "report/chart_axis.h"
#include "report/chart_unit.h"
#include <math.h>
#include <stdint.h>

enum { PARTS = 5, DECADES = 6 }; /* about so many steps, so that their texts fit a phone */

void extent_take(struct extent *extent, double value)
{
    if (!(fabs(value) < LARGEST))
        return;
    extent->least = fmin(extent->least, value);
    extent->most = fmax(extent->most, value);
}

static void add_step(struct axis *axis, double step)
{
    if (axis->step_count < AXIS_STEPS)
        axis->steps[axis->step_count++] = step;
}

/* ---- linear ---- */

/* 1, 2 or 5 times a power of ten, not below `length`. */
static double round_up(double length)
{
    double power = pow(10, floor(log10(length)));
    double digit = length / power;
    /* What differs by a rounding error is the same. */
    double rounded = digit <= 1.000001 ? 1 : digit <= 2.000001 ? 2 : digit <= 5.000001 ? 5 : 10;
    return rounded * power;
}

static double round_down(double length)
{
    double power = pow(10, floor(log10(length)));
    double digit = length / power;
    return (digit >= 4.999999 ? 5 : digit >= 1.999999 ? 2 : 1) * power;
}

/* Above 5 s steps go by the clock: 10 s, 15 s, 30 s, 1 min; in ns. */
static double round_up_time(double length)
{
    static const double seconds[] = {10,  15,   20,   30,   60,   120,   180,   300,
                                     600, 1200, 1800, 3600, 7200, 14400, 21600, 43200};
    if (length <= 5e9)
        return round_up(length);
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++)
        if (length <= seconds[i] * 1e9)
            return seconds[i] * 1e9;
    return ceil(length / 86400e9) * 86400e9;
}

static double step_of(enum chart_unit unit, double length)
{
    if (unit == UNIT_COUNT)
        return fmax(1, round_up(length));
    if (unit == UNIT_BYTES)
        return exp2(fmax(0, ceil(log2(length) - 1e-6)));
    return unit == UNIT_TIME ? round_up_time(length) : round_up(length);
}

static void fit_linear(struct axis *axis, struct extent values, bool whole)
{
    axis->least = fmin(0, values.least);
    axis->most = fmax(0, values.most);
    if (!(axis->most > axis->least))
        axis->most = axis->least + (axis->unit == UNIT_TIME ? 1e9 : 1);
    double step = step_of(axis->unit, (axis->most - axis->least) / PARTS);
    int64_t first = (int64_t)ceil(axis->least / step - 1e-6);
    int64_t last = (int64_t)(whole ? ceil(axis->most / step - 1e-6) : floor(axis->most / step + 1e-6));
    for (int64_t i = first; i <= last; i++)
        add_step(axis, (double)i * step);
    if (whole)
        axis->most = fmax(axis->most, (double)last * step);
}

/* ---- logarithmic ---- */

/* Every 1, 2 and 5 where there are few powers of ten, every power, or every so many of them. */
static void add_powers(struct axis *axis)
{
    static const double digits[] = {1, 2, 5};
    int first = (int)floor(log10(axis->least) + 1e-9), last = (int)ceil(log10(axis->most) - 1e-9);
    size_t digit_count = last - first <= 2 ? 3 : 1;
    int stride = (last - first + DECADES - 1) / DECADES;
    for (int exponent = first; exponent <= last; exponent += stride)
        for (size_t i = 0; i < digit_count; i++) {
            double step = digits[i] * pow(10, exponent);
            if (step >= axis->least * 0.999999 && step <= axis->most * 1.000001)
                add_step(axis, step);
        }
}

static void fit_logarithm(struct axis *axis, struct extent values)
{
    if (!(values.most > 0))
        values = (struct extent){1, 10};
    axis->least = round_down(values.least > 0 ? values.least : values.most / 1000);
    axis->most = round_up(values.most);
    if (axis->most < axis->least * 1.5)
        axis->most = 10 * axis->least;
    add_powers(axis);
}

/* ---- percentiles ---- */

/* How many nines: 0 for 0 %, 1 for 90 %, 2 for 99 %. */
static double nines(double percentile)
{
    return percentile < 0 || percentile >= 100 ? NAN : -log10(1 - percentile / 100);
}

static double percentile_of(double count)
{
    return 100 - 100 * pow(10, -count);
}

static void fit_percentile(struct axis *axis, struct extent values)
{
    double most = nines(values.most);
    most = isfinite(most) ? fmin(fmax(most, 1), AXIS_STEPS - 1) : 4;
    for (int count = 0; count <= (int)(most + 1e-6); count++)
        add_step(axis, percentile_of(count));
    axis->least = 0;
    axis->most = percentile_of(most);
}

struct axis axis_fit(const struct chart_axis *wish, struct extent values, bool whole)
{
    struct axis axis = {.unit = wish->unit, .scale = wish->scale};
    if (wish->least != 0 || wish->most != 0) {
        extent_take(&values, wish->least);
        extent_take(&values, wish->most);
    }
    if (axis.scale == SCALE_PERCENTILE)
        fit_percentile(&axis, values);
    else if (axis.scale == SCALE_LOGARITHM)
        fit_logarithm(&axis, values);
    else
        fit_linear(&axis, values, whole);
    return axis;
}

static double measure(const struct axis *axis, double value)
{
    if (axis->scale == SCALE_PERCENTILE)
        return nines(value);
    return axis->scale == SCALE_LOGARITHM ? (value > 0 ? log10(value) : NAN) : value;
}

double axis_place(const struct axis *axis, double value)
{
    double least = measure(axis, axis->least), most = measure(axis, axis->most);
    return (measure(axis, value) - least) / (most - least);
}

const char *axis_text(char text[UNIT_ROOM], const struct axis *axis, double step)
{
    if (axis->scale == SCALE_LINEAR)
        return unit_text_like(text, axis->unit, step, axis->most);
    if (axis->scale == SCALE_LOGARITHM)
        return unit_text(text, axis->unit, step);
    /* All the nines, and two digits behind them. */
    snprintf(text, UNIT_ROOM, "%.*g %%", (int)nines(step) + 2, step);
    return text;
}
