#include "option/complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/escape.h"

/* Words of the command line may hold anything; a complaint is one line, and commands no terminal. One write,
 * so that lines of several processes never mix. */
static void write_line(const struct subcommand *subcommand, const char *sentence)
{
    char safe[2048], line[sizeof safe + 64];
    const char *name = subcommand ? subcommand->name : "";
    int length;

    escape_bytes(safe, sizeof safe, sentence, strlen(sentence), "", NULL);
    length = snprintf(line, sizeof line, "parley%s%s: %s\n", *name ? " " : "", name, safe);
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* nowhere left to say it; the exit code does */
}

int complain(const struct subcommand *subcommand, const char *format, ...)
{
    char sentence[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    write_line(subcommand, sentence);
    return EXIT_USAGE;
}

int complain_call(const struct subcommand *subcommand, const char *call, const char *name)
{
    return complain(subcommand, "%s %s: %s", call, name, reason_of(call, errno));
}

int complain_failure(const struct subcommand *subcommand, int status)
{
    complain(subcommand, "%s", parley_error());
    return parley_exit_code(status);
}
