#include "command/load.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int digit(char letter)
{
    return isdigit((unsigned char)letter) ? letter - '0' : tolower((unsigned char)letter) - 'a' + 10;
}

/* What stands behind a backslash: how many characters it has; 0: it is nothing that we know. */
static size_t escape_of(const char *text, unsigned char *byte)
{
    static const char letters[] = "nrt0\\", bytes[] = "\n\r\t\0\\";
    const char *known = *text ? strchr(letters, *text) : NULL;
    if (known) {
        *byte = (unsigned char)bytes[known - letters];
        return 1;
    }
    if (*text != 'x' || !isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]))
        return 0;
    *byte = (unsigned char)(digit(text[1]) * 16 + digit(text[2]));
    return 3;
}

unsigned char *unescape(const struct subcommand *subcommand, const char *option, const char *text,
                        size_t *size)
{
    unsigned char *bytes = malloc(strlen(text) + 1);
    if (!bytes) {
        complain(subcommand, "no memory");
        return NULL;
    }
    for (*size = 0; *text; (*size)++) {
        bytes[*size] = (unsigned char)*text;
        if (*text++ != '\\')
            continue;
        size_t taken = escape_of(text, &bytes[*size]);
        if (taken == 0) {
            complain(subcommand, "--%s: there is no \\%.1s; \\n, \\r, \\t, \\0, \\\\ and \\xHH are known",
                     option, text);
            free(bytes);
            return NULL;
        }
        text += taken;
    }
    return bytes;
}
