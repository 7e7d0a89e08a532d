/* The option section of a manual page, in scdoc. */
#include <string.h>

#include "command/command.h"

/* scdoc takes these as mark-up. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\_*#`[", *text))
            putc('\\', out);
        putc(*text, out);
    }
}

static void put_option(FILE *out, const struct option *option)
{
    if (option->letter)
        fprintf(out, "*-%c*, ", option->letter);
    fprintf(out, "*--%s*", option->name);
    if (option->argument)
        fprintf(out, " _%s_", option->argument);
    fputs("\n\t", out);
    put_escaped(out, option->help);
    fputs("\n\n", out);
}

void print_manual(FILE *out, const struct subcommand *subcommand)
{
    for (const struct option_group *const *group = subcommand->groups; *group; group++) {
        if (begins_heading(subcommand, group))
            fprintf(out, "## %s\n\n", (*group)->title);
        for (const struct option *option = (*group)->options; option->name; option++)
            if (option->kind != OPTION_REFUSED)
                put_option(out, option);
    }
}
