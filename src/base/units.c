#include "base/units.h"

#include <parley.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"

enum { MOST_DECIMALS = 9 };

struct unit {
    const char *name;
    uint64_t factor;
};

/* A quantity is a set of units, each so many of the smallest, and how it is spoken of. */
struct quantity {
    const char *what;
    const char *example;
    const struct unit *units; /* ends with a factor of 0 */
    uint64_t divisor;         /* smallest units in one of the result */
    uint64_t most;
};

static const struct unit time_units[] = {
    {"", 1000000000},  {"ns", 1},          {"us", 1000},         {"µs", 1000}, {"ms", 1000000},
    {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}, {NULL, 0},
};
static const struct unit count_units[] = {
    {"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0},
};

static const struct quantity times = {
    "time",        "\"30s\", \"500ms\", \"250us\", \"1m\", \"2h\"; a bare number is seconds",
    time_units,    1000000,
    INT64_MAX / 2,
};
static const struct quantity fine_times = {
    "time", "\"5ms\", \"250us\", \"800ns\", \"1.5s\"; a bare number is seconds", time_units, 1, INT64_MAX,
};
static const struct quantity sizes = {
    "size", "\"512\", \"64KiB\", \"1.5MiB\", \"1GiB\"; a bare number is bytes", size_units, 1, UINT64_MAX,
};
static const struct quantity counts = {
    "count", "\"100\", \"10k\", \"2M\", \"1G\"; k, M and G are thousands", count_units, 1, UINT64_MAX,
};

/* A decimal number: digits / 10^decimals. */
struct number {
    uint64_t digits;
    int decimals;
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool push_digit(struct number *number, char digit)
{
    uint64_t value = (uint64_t)(digit - '0');

    return !__builtin_mul_overflow(number->digits, 10, &number->digits) &&
           !__builtin_add_overflow(number->digits, value, &number->digits);
}

/* Zeros at the end of a fraction say nothing, and must not count as too many decimals. */
static const char *end_of_fraction(const char *text)
{
    const char *end = text;

    for (; is_digit(*text); text++)
        if (*text != '0')
            end = text + 1;
    return end;
}

/* Returns where the number ends: its unit. NULL when there is no number, or it has too many digits. */
static const char *parse_number(const char *text, struct number *number)
{
    const char *end;

    *number = (struct number){0, 0};
    if (!is_digit(*text))
        return NULL;
    for (; is_digit(*text); text++)
        if (!push_digit(number, *text))
            return NULL;
    if (text[0] != '.' || !is_digit(text[1]))
        return text;
    end = end_of_fraction(++text);
    for (; text < end; text++)
        if (++number->decimals > MOST_DECIMALS || !push_digit(number, *text))
            return NULL;
    return text + strspn(text, "0");
}

static const struct unit *find_unit(const struct unit *unit, const char *name)
{
    while (unit->factor != 0 && strcmp(unit->name, name) != 0)
        unit++;
    return unit->factor != 0 ? unit : NULL;
}

/* 64 bits would not do in between: 2^64-1 is multiplied by its unit before it is divided. */
static int convert(const struct quantity *quantity, const char *text, const struct number *number,
                   uint64_t factor, uint64_t *value)
{
    unsigned __int128 smallest = (unsigned __int128)number->digits * factor;
    uint64_t divisor = quantity->divisor;

    for (int i = 0; i < number->decimals; i++)
        divisor *= 10;
    if (quantity->divisor == 1 && smallest % divisor != 0)
        return fail(PARLEY_USAGE, "\"%.80s\" is not a whole number", text);
    smallest = (smallest + divisor - 1) / divisor;
    if (smallest > quantity->most)
        return fail(PARLEY_USAGE, "\"%.80s\" is too large a %s", text, quantity->what);
    *value = (uint64_t)smallest;
    return 0;
}

static int parse(const struct quantity *quantity, const char *text, uint64_t *value)
{
    struct number number;
    const char *name = parse_number(text, &number);
    const struct unit *unit = name != NULL ? find_unit(quantity->units, name) : NULL;

    if (unit == NULL) {
        return fail(PARLEY_USAGE, "\"%.80s\" is not a %s (write %s)", text, quantity->what,
                    quantity->example);
    }
    return convert(quantity, text, &number, unit->factor, value);
}

int parse_time(const char *text, int64_t *ms)
{
    uint64_t value = 0;
    int status = parse(&times, text, &value);

    if (status == 0)
        *ms = (int64_t)value;
    return status;
}

int parse_nanoseconds(const char *text, int64_t *ns)
{
    uint64_t value = 0;
    int status = parse(&fine_times, text, &value);

    if (status == 0)
        *ns = (int64_t)value;
    return status;
}

int parse_size(const char *text, uint64_t *bytes)
{
    return parse(&sizes, text, bytes);
}

int parse_count(const char *text, uint64_t *count)
{
    return parse(&counts, text, count);
}
