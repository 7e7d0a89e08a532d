/* Help and the option sections of the manual, from the tables. */
#include <string.h>

#include "command/command.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 80 };

/* Prints `text` from `column` on, breaking lines at blanks, and ends the line. */
static void print_wrapped(FILE *out, const char *text, size_t column)
{
    size_t at = column;

    for (const char *word = text; *word;) {
        const size_t length = strcspn(word, " ");

        if (at > column && at + 1 + length > HELP_WIDTH) {
            fprintf(out, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            putc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", (int)length, word);
        at += length;
        word += length + strspn(word + length, " ");
    }
    putc('\n', out);
}

/* "  NAME   HELP", the help on a line of its own where the name is too long. */
static void print_entry(FILE *out, const char *name, const char *help)
{
    const size_t length = strlen(name) + 2;

    fprintf(out, "  %s", name);
    if (length + 1 < HELP_COLUMN)
        fprintf(out, "%*s", (int)(HELP_COLUMN - length), "");
    else
        fprintf(out, "\n%*s", HELP_COLUMN, "");
    print_wrapped(out, help, HELP_COLUMN);
}

static void print_option(FILE *out, const struct option *option)
{
    char name[64], letter[5] = "    ";

    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(name, sizeof name, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    print_entry(out, name, option->help);
}

bool begins_heading(const struct subcommand *subcommand, const struct option_group *const *group)
{
    return group == subcommand->groups || strcmp(group[0]->title, group[-1]->title) != 0;
}

static void print_groups(FILE *out, const struct subcommand *subcommand)
{
    for (const struct option_group *const *group = subcommand->groups; *group; group++) {
        if (begins_heading(subcommand, group))
            fprintf(out, "\n%s:\n", (*group)->title);
        for (const struct option *option = (*group)->options; option->name; option++)
            if (option->kind != OPTION_REFUSED)
                print_option(out, option);
    }
}

static void print_words(FILE *out, const struct subcommand *subcommand)
{
    const char *help, *word;

    if (!subcommand->word)
        return;
    putc('\n', out);
    for (size_t i = 0; (word = subcommand->word(i, &help)); i++)
        print_entry(out, word, help);
}

static void print_examples(FILE *out, const char *examples)
{
    fputs("\nExamples:\n", out);
    for (const char *line = examples; *line; line += strcspn(line, "\n") + 1)
        fprintf(out, "  %.*s\n", (int)strcspn(line, "\n"), line);
}

static bool takes(const struct subcommand *subcommand, const char *argument)
{
    for (const struct option_group *const *group = subcommand->groups; *group; group++)
        for (const struct option *option = (*group)->options; option->name; option++)
            if (option->argument && strcmp(option->argument, argument) == 0)
                return true;
    return false;
}

/* How those values are written that many options take. */
static void print_units(FILE *out, const struct subcommand *subcommand)
{
    if (!takes(subcommand, "TIME"))
        return;
    fputs("\nA TIME is 250us, 500ms, 30s, 1m or 2h, or a bare number of seconds; a SIZE\n"
          "64KiB, 1.5MiB or 1GiB, or bytes; a count N 100, 10k or 2M.\n",
          out);
}

void print_help(FILE *out, const struct subcommand *subcommand)
{
    fprintf(out, "usage: parley %s [OPTION...]%s%s\n\nparley %s ", subcommand->name,
            *subcommand->operands ? " " : "", subcommand->operands, subcommand->name);
    print_wrapped(out, subcommand->purpose, sizeof "parley " + strlen(subcommand->name));
    print_words(out, subcommand);
    print_groups(out, subcommand);
    print_units(out, subcommand);
    if (subcommand->examples)
        print_examples(out, subcommand->examples);
}

void print_summary(FILE *out)
{
    fputs("usage: parley SUBCOMMAND [OPTION...] [OPERAND...]\n\n"
          "One TCP handler under every server design, and a command that serves and connects.\n\n",
          out);
    for (const struct subcommand *subcommand = subcommands; subcommand->name; subcommand++)
        print_entry(out, subcommand->name, subcommand->purpose);
    fputs("\nAn address is 3000, :3000, host:3000, host 3000, [::1]:3000, unix:/path or @abstract.\n"
          "parley help SUBCOMMAND tells the options of each; man parley tells the rest.\n",
          out);
}

int help_run(const struct arguments *arguments)
{
    const char *name = arguments->operands[0];
    const struct subcommand *subcommand = name ? subcommand_named(name) : NULL;

    if (name && !subcommand)
        return complain_no_subcommand(arguments->subcommand, name);
    if (name && arguments->operands[1])
        return complain(arguments->subcommand, "one subcommand, please: %s and %s are two", name,
                        arguments->operands[1]);
    if (arguments_given(arguments, "man"))
        print_manual(stdout, subcommand ? subcommand : arguments->subcommand);
    else if (subcommand)
        print_help(stdout, subcommand);
    else
        print_summary(stdout);
    return EXIT_DONE;
}

int version_run(const struct arguments *arguments)
{
    if (arguments->operands[0])
        return complain(arguments->subcommand, "it takes no operand: %s", arguments->operands[0]);
    printf("parley %s\n", parley_version());
    return EXIT_DONE;
}
