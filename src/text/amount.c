#include "text/amount.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { MOST_DECIMALS = 7 };

struct unit {
    double factor;
    const char *name;
};

/* From the smallest; the last takes whatever is larger. */
static const struct unit times[] = {{1, " ns"}, {1e3, " µs"}, {1e6, " ms"}, {1e9, " s"}, {0, NULL}};
static const struct unit rates[] = {{1, "/s"}, {1e3, " k/s"}, {1e6, " M/s"}, {1e9, " G/s"}, {0, NULL}};
static const struct unit sizes[] = {{1, " B"},        {0x1p10, " KiB"}, {0x1p20, " MiB"},
                                    {0x1p30, " GiB"}, {0x1p40, " TiB"}, {0, NULL}};
static const struct unit shares[] = {{1, " %"}, {0, NULL}};

/* How many decimals make it three digits: one error of a million requests is 0.000100 %. */
static int decimals_of(double value)
{
    int decimals = value < 99.95 ? 1 : 0;
    while (value < 9.995 && decimals < MOST_DECIMALS) {
        value *= 10;
        decimals++;
    }
    return decimals;
}

/* What would be rounded to 1000 of a unit is 1.00 of the next. Of the smallest unit, whole ones are whole. */
static struct amount in_units(const struct unit *unit, double value)
{
    struct amount amount;
    bool is_whole = value == floor(value);
    for (; unit[1].name && value >= unit->factor * 999.5; unit++)
        is_whole = false;
    double scaled = value / unit->factor;
    snprintf(amount.text, sizeof amount.text, "%.*f%s", is_whole ? 0 : decimals_of(scaled), scaled,
             unit->name);
    return amount;
}

int columns_of(const char *text)
{
    int columns = 0;
    for (; *text; text++)
        columns += (*text & 0xc0) != 0x80; /* of UTF-8, only the first byte of each */
    return columns;
}

struct amount amount_time(double ns)
{
    return in_units(times, ns);
}

struct amount amount_rate(double per_second)
{
    return in_units(rates, per_second);
}

struct amount amount_size(double bytes)
{
    return in_units(sizes, bytes);
}

struct amount amount_percent(double percent)
{
    return in_units(shares, percent);
}
