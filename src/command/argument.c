/* What the options given on the command line mean. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"

const char *arguments_value(const struct arguments *arguments, const char *name)
{
    for (size_t i = arguments->given_count; i-- > 0;) {
        if (strcmp(arguments->given[i].option->name, name) == 0) {
            return arguments->given[i].value;
        }
    }
    return NULL;
}

bool arguments_given(const struct arguments *arguments, const char *name)
{
    return arguments_value(arguments, name) != NULL;
}

int64_t arguments_time(const struct arguments *arguments, const char *name, int64_t otherwise)
{
    const char *value = arguments_value(arguments, name);
    int64_t milliseconds;

    return value && parse_time(value, &milliseconds) ? milliseconds : otherwise;
}

int64_t arguments_count(const struct arguments *arguments, const char *name, int64_t otherwise)
{
    const char *value = arguments_value(arguments, name);
    int64_t count;

    return value && parse_count(value, &count) ? count : otherwise;
}

int arguments_apply(const struct arguments *arguments, parley_server *server)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct given *given = &arguments->given[i];
        int status;

        if (!given->option->setting) {
            continue;
        }
        status = parley_set(server, given->option->setting, given->value);
        if (status) {
            return complain_failure(arguments->subcommand, status);
        }
    }
    return 0;
}

/* strtoll(3) would take leading blanks and signs as well. */
bool parse_count(const char *text, int64_t *count)
{
    char *end;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *count = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* Reads "12.345" as 12345 thousandths; further digits are dropped. NULL when it is no number. */
static const char *parse_thousandths(const char *text, int64_t *thousandths)
{
    int64_t value = 0;
    int digits = 0, decimals = -1;

    for (; (*text >= '0' && *text <= '9') || (*text == '.' && decimals < 0); text++) {
        if (*text == '.') {
            decimals = 0;
            continue;
        }
        digits++;
        if (decimals >= 3) {
            continue;
        }
        if (value > INT64_MAX / 10000000) {
            return NULL;
        }
        value = value * 10 + (*text - '0');
        decimals += decimals >= 0;
    }
    for (int missing = decimals < 0 ? 3 : 3 - decimals; missing > 0; missing--) {
        value *= 10;
    }
    *thousandths = value;
    return digits ? text : NULL;
}

bool parse_time(const char *text, int64_t *milliseconds)
{
    static const struct {
        const char *name;
        int64_t microseconds;
    } units[] = {{"", 1000000}, {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", 3600000000}};
    int64_t thousandths;
    const char *unit = parse_thousandths(text, &thousandths);

    for (size_t i = 0; unit && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].name) == 0 && thousandths <= INT64_MAX / units[i].microseconds) {
            /* Rounded up: what is asked for is never 0, which would mean none. */
            *milliseconds = (thousandths * units[i].microseconds + 999999) / 1000000;
            return true;
        }
    }
    return false;
}
