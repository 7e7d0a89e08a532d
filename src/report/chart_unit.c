#include "report/chart_unit.h"
#include <math.h>

bool is_known(double value)
{
    return value >= 0 && value < LARGEST;
}

/* The parts a unit is written in, from the largest: from which value on, and how much one is. The last is
 * taken for whatever is smaller. */
struct part {
    double from, factor;
    const char *name;
};

/* Four digits are read more easily than "9.99 k". */
static const struct part counts[] = {
    {1e18, 1e18, " E"}, {1e15, 1e15, " P"}, {1e12, 1e12, " T"}, {1e9, 1e9, " G"},
    {1e6, 1e6, " M"},   {1e4, 1e3, " k"},   {0, 1, ""},
};
static const struct part rates[] = {
    {1e18, 1e18, " E/s"}, {1e15, 1e15, " P/s"}, {1e12, 1e12, " T/s"}, {1e9, 1e9, " G/s"},
    {1e6, 1e6, " M/s"},   {1e3, 1e3, " k/s"},   {0, 1, "/s"},
};
/* Steps of an axis are whole numbers of them. */
static const struct part times[] = {
    {21600e9, 3600e9, " h"}, {600e9, 60e9, " min"}, {1e9, 1e9, " s"},
    {1e6, 1e6, " ms"},       {1e3, 1e3, " µs"},     {0, 1, " ns"},
};
static const struct part bytes[] = {
    {0x1p60, 0x1p60, " EiB"},
    {0x1p50, 0x1p50, " PiB"},
    {0x1p40, 0x1p40, " TiB"},
    {0x1p30, 0x1p30, " GiB"},
    {0x1p20, 0x1p20, " MiB"},
    {0x1p10, 0x1p10, " KiB"},
    {0, 1, " B"},
};
static const struct part shares[] = {{0, 0.01, " %"}};
static const struct part ratios[] = {{0, 1, "×"}};

static const struct part *const units[] = {
    [UNIT_COUNT] = counts, [UNIT_RATE] = rates,   [UNIT_TIME] = times,
    [UNIT_BYTES] = bytes,  [UNIT_SHARE] = shares, [UNIT_RATIO] = ratios,
};

/* What would be rounded up to the next part is written in it. */
static const struct part *part_for(enum chart_unit unit, double value)
{
    const struct part *part = units[unit];
    while (part->from > 0 && value < part->from * 0.9995)
        part++;
    return part;
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
    const struct part *part = part_for(unit, like);
    print_value(text, value / part->factor, value == 0 ? "" : part->name);
    return text;
}

const char *unit_text(char text[UNIT_ROOM], enum chart_unit unit, double value)
{
    if (is_known(value))
        return unit_text_like(text, unit, value, value);
    snprintf(text, UNIT_ROOM, "–");
    return text;
}
