#include "option/option.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "option/complain.h"
#include "option/suggest.h"

struct parser {
    struct arguments *arguments;
    const struct subcommand *subcommand;
    char *const *words;
    int count, next;
};

typedef bool (*option_test)(const struct option *option, const void *wanted);

static const struct option *find_option(const struct subcommand *subcommand, option_test test,
                                        const void *wanted)
{
    for (const struct option_group *const *group = subcommand->groups; *group; group++) {
        for (const struct option *option = (*group)->options; option->name; option++)
            if (test(option, wanted))
                return option;
    }
    return NULL;
}

static bool has_letter(const struct option *option, const void *wanted)
{
    return option->letter == *(const char *)wanted;
}

static bool has_name(const struct option *option, const void *wanted)
{
    return strcmp(option->name, wanted) == 0;
}

/* A test that is never met, so that every option is looked at. */
static bool consider_option(const struct option *option, const void *nearest)
{
    if (option->kind != OPTION_REFUSED)
        nearest_consider(*(struct nearest *const *)nearest, option->name);
    return false;
}

static int complain_unknown(const struct parser *parser, const char *name)
{
    struct nearest nearest = {.word = name};
    const struct nearest *found = &nearest;

    find_option(parser->subcommand, consider_option, &found);
    if (nearest.name) {
        return complain(parser->subcommand, "there is no option --%s; did you mean --%s?", name,
                        nearest.name);
    }
    return complain(parser->subcommand, "there is no option --%s; parley help %s lists them", name,
                    parser->subcommand->name);
}

/* What is near to nothing is left to parley_set(), which knows more about it. */
static int check_choice(const struct parser *parser, const struct option *option, const char *value)
{
    const char *nearest = nearest_name(value, option->choices);

    if (listed_name(option->choices, value) || (!nearest && option->setting && !option->reason))
        return 0;
    if (option->reason)
        return complain(parser->subcommand, "--%s %s: %s", option->name, value, option->reason);
    if (nearest)
        return complain(parser->subcommand, "--%s %s: did you mean %s?", option->name, value, nearest);
    return complain(parser->subcommand, "--%s %s: it is one of: %s", option->name, value, option->choices);
}

static int check_value(const struct parser *parser, const struct option *option, const char *value)
{
    int64_t time;
    uint64_t count = 0;
    int status = 0;

    if (option->choices)
        return check_choice(parser, option, value);
    if (option->kind == OPTION_TIME)
        status = parse_time(value, &time);
    else if (option->kind == OPTION_COUNT)
        status = parse_count(value, &count);
    if (status)
        return complain(parser->subcommand, "--%s: %s", option->name, parley_error());
    if (option->kind == OPTION_PORT &&
        (value[strspn(value, "0123456789")] || strtoul(value, NULL, 10) > 65535))
        return complain(parser->subcommand, "--%s %s: a port is a number up to 65535", option->name, value);
    if (count > INT32_MAX)
        return complain(parser->subcommand, "--%s %s: at most %d", option->name, value, INT32_MAX);
    return 0;
}

static int store(struct parser *parser, const struct option *option, const char *value)
{
    struct arguments *arguments = parser->arguments;

    if (option->kind == OPTION_REFUSED)
        return complain(parser->subcommand, "%s", option->help);
    if (option->kind == OPTION_HELP) {
        arguments->help = true;
        return 0;
    }
    arguments->given[arguments->given_count++] = (struct given){option, value};
    if (*value == '\0' && !option->may_be_empty)
        return complain(parser->subcommand, "--%s is empty; it takes a value, --%s %s", option->name,
                        option->name, option->argument);
    return check_value(parser, option, value);
}

static int store_switch(struct parser *parser, const struct option *option)
{
    return store(parser, option, option->value ? option->value : "on");
}

/* The value may be attached, or is the next word, whatever that begins with. */
static int store_value(struct parser *parser, const struct option *option, const char *attached)
{
    if (!attached) {
        if (parser->next == parser->count) {
            return complain(parser->subcommand, "--%s needs a value, --%s %s; parley help %s tells more",
                            option->name, option->name, option->argument, parser->subcommand->name);
        }
        attached = parser->words[parser->next++];
    }
    return store(parser, option, attached);
}

/* "--tls", "--tls self-signed", "--tls=self-signed". */
static int store_maybe(struct parser *parser, const struct option *option, const char *attached)
{
    bool more = parser->next < parser->count && listed_name(option->choices, parser->words[parser->next]);

    return attached || more ? store_value(parser, option, attached) : store_switch(parser, option);
}

static int parse_long(struct parser *parser, const char *word)
{
    const char *equals = strchr(word, '=');
    char *name = equals ? strndup(word, (size_t)(equals - word)) : strdup(word);
    const struct option *option;
    int status;

    if (!name)
        return complain(parser->subcommand, "no memory");
    option = find_option(parser->subcommand, has_name, name);
    if (!option)
        status = complain_unknown(parser, name);
    else if (option->kind == OPTION_MAYBE)
        status = store_maybe(parser, option, equals ? equals + 1 : NULL);
    else if (option->argument)
        status = store_value(parser, option, equals ? equals + 1 : NULL);
    else if (equals)
        status = complain(parser->subcommand, "--%s takes no value", name);
    else
        status = store_switch(parser, option);
    free(name);
    return status;
}

static int complain_letter(const struct parser *parser, const char *letters, char letter)
{
    if (find_option(parser->subcommand, has_name, letters))
        return complain(parser->subcommand, "a long name takes two dashes: --%s", letters);
    return complain(parser->subcommand, "there is no option -%c; parley help %s lists them", letter,
                    parser->subcommand->name);
}

/* "-lvp 3000", "-p3000". */
static int parse_letters(struct parser *parser, const char *letters)
{
    const bool long_name = letters[1] && find_option(parser->subcommand, has_name, letters);

    for (const char *letter = letters; *letter && !parser->arguments->help; letter++) {
        const struct option *option = find_option(parser->subcommand, has_letter, letter);
        int status;

        if (!option || long_name)
            return complain_letter(parser, letters, *letter);
        if (option->argument)
            return store_value(parser, option, letter[1] ? letter + 1 : NULL);
        status = store_switch(parser, option);
        if (status)
            return status;
    }
    return 0;
}

static int parse_word(struct parser *parser, const char *word)
{
    struct arguments *arguments = parser->arguments;

    if (strcmp(word, "--") == 0) {
        arguments->before_dashes = arguments->operand_count;
        while (parser->next < parser->count)
            arguments->operands[arguments->operand_count++] = parser->words[parser->next++];
        return 0;
    }
    if (word[0] == '-' && word[1] == '-')
        return parse_long(parser, word + 2);
    if (word[0] == '-' && word[1])
        return parse_letters(parser, word + 1);
    arguments->operands[arguments->operand_count++] = word;
    return 0;
}

/* Which of the two was meant is not for us to guess. */
static int check_contradictions(const struct arguments *arguments)
{
    static const char *const pairs[][2] = {{"ipv4", "ipv6"}, {"verbose", "quiet"}, {"bind", "source-port"}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (arguments_given(arguments, pairs[i][0]) && arguments_given(arguments, pairs[i][1]))
            return complain(arguments->subcommand, "--%s and --%s contradict each other; give one",
                            pairs[i][0], pairs[i][1]);
    return 0;
}

/* What the first is about is there only with the second. Where a subcommand has no such option, nobody has
 * given it. */
static int check_companions(const struct arguments *arguments)
{
    static const char *const pairs[][2] = {{"ca", "tls"},   {"pin", "tls"},      {"insecure", "tls"},
                                           {"key", "cert"}, {"cert", "tls"},     {"server-name", "tls"},
                                           {"alpn", "tls"}, {"client-ca", "tls"}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (arguments_given(arguments, pairs[i][0]) && !arguments_given(arguments, pairs[i][1]))
            return complain(arguments->subcommand, "--%s goes with --%s; add it", pairs[i][0], pairs[i][1]);
    return 0;
}

/* Letters of one word may be many switches, so the list has room for every character. */
static size_t most_given(int count, char *const *words)
{
    size_t most = 1;

    for (int i = 0; i < count; i++)
        most += strlen(words[i]);
    return most;
}

int arguments_parse(struct arguments *arguments, const struct subcommand *subcommand, int count,
                    char *const *words)
{
    struct parser parser = {arguments, subcommand, words, count, 0};
    int status = 0;

    *arguments = (struct arguments){.subcommand = subcommand, .before_dashes = SIZE_MAX};
    arguments->given = calloc(most_given(count, words), sizeof *arguments->given);
    arguments->operands = calloc((size_t)count + 1, sizeof *arguments->operands);
    if (!arguments->given || !arguments->operands)
        return complain(subcommand, "no memory");
    while (parser.next < count && status == 0 && !arguments->help)
        status = parse_word(&parser, words[parser.next++]);
    if (arguments->before_dashes > arguments->operand_count)
        arguments->before_dashes = arguments->operand_count;
    if (status == 0 && !arguments->help)
        status = check_contradictions(arguments);
    return status || arguments->help ? status : check_companions(arguments);
}

void arguments_free(struct arguments *arguments)
{
    free(arguments->given);
    free(arguments->operands);
    *arguments = (struct arguments){0};
}
