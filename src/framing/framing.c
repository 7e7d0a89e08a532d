/* Framings in words. */
#include <parley.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "framing/frame.h"

enum { WORD_SIZE = 80 };

/* More than memory holds, and far from where adding a header to it would overflow. */
#define MOST_MAX (1ull << 40)

enum argument { ARGUMENT_NONE, ARGUMENT_SIZE, ARGUMENT_TEXT };

static const struct kind {
    const char *name;
    enum framing_kind kind;
    enum argument argument;
    uint64_t otherwise; /* max unless given */
    uint64_t most;      /* largest max; 0: it takes none */
} kinds[] = {
    {"raw", FRAMING_RAW, ARGUMENT_NONE, 0, 0},
    {"line", FRAMING_LINE, ARGUMENT_NONE, 64 << 10, MOST_MAX},
    {"delim", FRAMING_DELIMITER, ARGUMENT_TEXT, 64 << 10, MOST_MAX},
    {"fixed", FRAMING_FIXED, ARGUMENT_SIZE, 0, 0},
    {"u16be", FRAMING_U16BE, ARGUMENT_NONE, UINT16_MAX, UINT16_MAX},
    {"u32be", FRAMING_U32BE, ARGUMENT_NONE, 16 << 20, UINT32_MAX},
    {"varint", FRAMING_VARINT, ARGUMENT_NONE, 16 << 20, MOST_MAX},
};

/* Copies the next word, without the blanks around it. False at the end of the words. */
static bool next_word(const char **words, char word[WORD_SIZE], bool *fits)
{
    size_t length;

    *words += strspn(*words, " \t");
    length = strcspn(*words, " \t");
    *fits = length < WORD_SIZE;
    snprintf(word, WORD_SIZE, "%.*s", (int)(length < WORD_SIZE ? length : WORD_SIZE), *words);
    *words += length;
    return length > 0;
}

/* Splits "name=value" in place; NULL without '='. */
static char *split_value(char *word)
{
    char *value = strchr(word, '=');

    if (value != NULL)
        *value++ = '\0';
    return value;
}

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;

    return found != NULL ? (int)((found - digits) % 16) : -1;
}

/* Reads what follows a backslash and moves behind it. The byte, or -1. */
static int parse_escape(const char **text)
{
    static const char names[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
    const char *escape = *text;
    const char *found = *escape != '\0' ? strchr(names, *escape) : NULL;

    if (found != NULL) {
        *text += 1;
        return (unsigned char)bytes[found - names];
    }
    if (escape[0] == 'x' && hex_digit(escape[1]) >= 0 && hex_digit(escape[2]) >= 0) {
        *text += 3;
        return hex_digit(escape[1]) * 16 + hex_digit(escape[2]);
    }
    return -1;
}

static int parse_delimiter(struct framing *framing, const char *text)
{
    const char *at = text;

    framing->delimiter_size = 0;
    while (*at != '\0') {
        int byte = (unsigned char)*at++;

        if (byte == '\\')
            byte = parse_escape(&at);
        if (byte < 0) {
            return fail(PARLEY_USAGE,
                        "framing delim=%s: unknown escape (write \\r \\n \\t \\0 \\\\ or \\x1f)", text);
        }
        if (framing->delimiter_size == sizeof framing->delimiter) {
            return fail(PARLEY_USAGE, "framing delim=%s: longer than %zu bytes", text,
                        sizeof framing->delimiter);
        }
        framing->delimiter[framing->delimiter_size++] = (unsigned char)byte;
    }
    if (framing->delimiter_size == 0)
        return fail(PARLEY_USAGE, "framing delim: no delimiter (write delim=\\r\\n)");
    return 0;
}

/* A size of at least 1 and at most `most`. */
static int parse_limit(const char *what, const char *text, uint64_t most, size_t *limit)
{
    uint64_t bytes;

    if (parse_size(text, &bytes) != 0)
        return fail(PARLEY_USAGE, "framing %s: %s", what, parley_error());
    if (bytes == 0 || bytes > most) {
        return fail(PARLEY_USAGE, "framing %s=%s: must be from 1 to %llu bytes", what, text,
                    (unsigned long long)most);
    }
    *limit = (size_t)bytes;
    return 0;
}

static int parse_argument(struct framing *framing, const struct kind *kind, const char *value)
{
    if (kind->argument == ARGUMENT_NONE)
        return value == NULL ? 0 : fail(PARLEY_USAGE, "framing %s takes no value", kind->name);
    if (value == NULL)
        return fail(PARLEY_USAGE, "framing %s needs a value (%s=…)", kind->name, kind->name);
    return kind->argument == ARGUMENT_SIZE ? parse_limit(kind->name, value, MOST_MAX, &framing->max)
                                           : parse_delimiter(framing, value);
}

static int parse_kind(struct framing *framing, const struct kind *kind, const char *value)
{
    *framing = (struct framing){.kind = kind->kind, .max = (size_t)kind->otherwise};
    if (kind->kind == FRAMING_LINE) {
        framing->delimiter[0] = '\n';
        framing->delimiter_size = 1;
    }
    return parse_argument(framing, kind, value);
}

static int parse_max(struct framing *framing, const struct kind *kind, const char *name, const char *value)
{
    if (strcmp(name, "max") != 0 || value == NULL)
        return fail(PARLEY_USAGE, "framing %s: unknown word \"%s\" (write max=64KiB)", kind->name, name);
    if (kind->most == 0)
        return fail(PARLEY_USAGE, "framing %s takes no max", kind->name);
    return parse_limit("max", value, kind->most, &framing->max);
}

int framing_parse(struct framing *framing, const char *words)
{
    char word[WORD_SIZE];
    const struct kind *kind;
    char *value;
    bool fits;
    int status;

    words = words != NULL ? words : "raw";
    next_word(&words, word, &fits);
    value = split_value(word);
    kind = find_kind(word);
    if (kind == NULL || !fits) {
        return fail(PARLEY_USAGE,
                    "framing \"%s\": not known (raw, line, u16be, u32be, varint, fixed=64, delim=\\r\\n)",
                    word);
    }
    status = parse_kind(framing, kind, value);
    while (status == 0 && next_word(&words, word, &fits)) {
        value = split_value(word);
        status =
            fits ? parse_max(framing, kind, word, value) : fail(PARLEY_USAGE, "framing: a word is too long");
    }
    return status;
}
