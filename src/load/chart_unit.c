#include "load/chart_unit.h"
#include <math.h>
#include <string.h>

bool is_known(double value)
{
    return isfinite(value) && value >= 0;
}

/* The parts a unit is written in, from the largest; the last is taken for whatever is smaller. */
struct part {
    double factor;
    const char *name;
};

static const struct part counts[] = {
    {1e18, " E"}, {1e15, " P"}, {1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {1, ""}, {0, NULL},
};
static const struct part rates[] = {
    {1e18, " E/s"}, {1e15, " P/s"}, {1e12, " T/s"}, {1e9, " G/s"},
    {1e6, " M/s"},  {1e3, " k/s"},  {1, " /s"},     {0, NULL},
};
/* Seconds up to 10 minutes, minutes up to 6 hours: steps of an axis are then whole numbers. */
static const struct part times[] = {
    {21600e9, " h"}, {600e9, " min"}, {1e9, " s"}, {1e6, " ms"}, {1e3, " µs"}, {1, " ns"}, {0, NULL},
};
static const struct part bytes[] = {
    {0x1p60, " EiB"}, {0x1p50, " PiB"}, {0x1p40, " TiB"}, {0x1p30, " GiB"},
    {0x1p20, " MiB"}, {0x1p10, " KiB"}, {1, " B"},        {0, NULL},
};
static const struct part shares[] = {{0.01, " %"}, {0, NULL}};
static const struct part ratios[] = {{1, "×"}, {0, NULL}};

static const struct part *const units[] = {
    [UNIT_COUNT] = counts, [UNIT_RATE] = rates,   [UNIT_TIME] = times,
    [UNIT_BYTES] = bytes,  [UNIT_SHARE] = shares, [UNIT_RATIO] = ratios,
};

/* What rounds up to 1000 of a part is 1 of the next. */
static struct part part_for(enum chart_unit unit, double value)
{
    const struct part *part = units[unit];
    while (part[1].name && value < part->factor * 0.9995)
        part++;
    struct part chosen = *part;
    /* A time is in hours from 6 of them on. */
    if (unit == UNIT_TIME && chosen.factor > 1e9)
        chosen.factor = strcmp(chosen.name, " h") == 0 ? 3600e9 : 60e9;
    return chosen;
}

/* 3 significant digits, but every digit of a whole number; no zeros behind the last. */
static void print_value(char text[UNIT_ROOM], double value, const char *name)
{
    if (fabs(value) >= 999.5 && fabs(value) < 1e15)
        snprintf(text, UNIT_ROOM, "%.0f%s", value, name);
    else
        snprintf(text, UNIT_ROOM, "%.3g%s", value, name);
}

const char *unit_text_like(char text[UNIT_ROOM], enum chart_unit unit, double value, double like)
{
    struct part part = part_for(unit, like);
    print_value(text, value / part.factor, value == 0 ? "" : part.name);
    return text;
}

const char *unit_text(char text[UNIT_ROOM], enum chart_unit unit, double value)
{
    if (is_known(value))
        return unit_text_like(text, unit, value, value);
    snprintf(text, UNIT_ROOM, "–");
    return text;
}
