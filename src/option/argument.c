/* What the options given on the command line mean. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "option/complain.h"

const char *arguments_value(const struct arguments *arguments, const char *name)
{
    for (size_t i = arguments->given_count; i-- > 0;)
        if (strcmp(arguments->given[i].option->name, name) == 0)
            return arguments->given[i].value;
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

    return value && parse_time(value, &milliseconds) == 0 ? milliseconds : otherwise;
}

int64_t arguments_count(const struct arguments *arguments, const char *name, int64_t otherwise)
{
    const char *value = arguments_value(arguments, name);
    uint64_t count;

    return value && parse_count(value, &count) == 0 ? (int64_t)count : otherwise;
}

/* "workers '300' is too large" told of --workers names it once. */
static int complain_setting(const struct arguments *arguments, const struct option *option, int status)
{
    const char *sentence = parley_error();
    const size_t length = strlen(option->setting);

    if (strncmp(sentence, option->setting, length) == 0 && sentence[length] == ' ')
        complain(arguments->subcommand, "--%s%s", option->name, sentence + length);
    else
        complain(arguments->subcommand, "--%s: %s", option->name, sentence);
    return parley_exit_code(status);
}

int arguments_apply(const struct arguments *arguments, parley_server *server)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct given *given = &arguments->given[i];
        int status;

        if (!given->option->setting)
            continue;
        status = parley_set(server, given->option->setting, given->value);
        if (status)
            return complain_setting(arguments, given->option, status);
    }
    return 0;
}

/* ---- typed again ---- */

/* A word as a shell would have it. */
static void put_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,@%+=";
    if (*word && word[strspn(word, plain)] == '\0') {
        fprintf(out, " %s", word);
        return;
    }
    fputs(" '", out);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    fputc('\'', out);
}

char *arguments_quoted(const struct arguments *arguments)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "parley %s", arguments->subcommand->name);
    for (size_t i = 0; i < arguments->operand_count; i++)
        put_word(out, arguments->operands[i]);
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct given *given = &arguments->given[i];
        if (given->option->letter)
            fprintf(out, " -%c", given->option->letter);
        else
            fprintf(out, " --%s", given->option->name);
        if (given->option->argument)
            put_word(out, given->value);
    }
    fclose(out);
    return text;
}
