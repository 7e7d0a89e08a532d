/* Completions for bash, zsh and fish, from the tables. */
#include <string.h>

#include "command/command.h"

typedef void (*put_option)(FILE *out, const struct subcommand *subcommand, const struct option *option);

static void for_each_option(FILE *out, const struct subcommand *subcommand, put_option put)
{
    for (const struct option_group *const *group = subcommand->groups; *group; group++) {
        for (const struct option *option = (*group)->options; option->name; option++)
            if (option->kind != OPTION_REFUSED)
                put(out, subcommand, option);
    }
}

/* Inside single quotes of any of the three shells, with a backslash before the characters of `special`. */
static void put_quoted(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
            continue;
        }
        if (strchr(special, *text))
            putc('\\', out);
        putc(*text, out);
    }
}

static void put_words(FILE *out, const struct subcommand *subcommand)
{
    const char *help, *word;

    for (size_t i = 0; subcommand->word && (word = subcommand->word(i, &help)); i++)
        fprintf(out, "%s%s", i ? " " : "", word);
}

/* ---- bash ---- */

static void put_bash_value(FILE *out, const struct subcommand *subcommand, const struct option *option)
{
    (void)subcommand;
    if (!option->argument)
        return;
    fprintf(out, "        --%s", option->name);
    if (option->letter)
        fprintf(out, " | -%c", option->letter);
    if (option->choices)
        fprintf(out, ") mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$current\"); ", option->choices);
    else if (option->kind == OPTION_PATH)
        fputs(") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); ", out);
    else if (option->kind == OPTION_HOST)
        fputs(") mapfile -t COMPREPLY < <(compgen -A hostname -- \"$current\"); ", out);
    else
        fputs(") ", out);
    fputs("return ;;\n", out);
}

static void put_bash_name(FILE *out, const struct subcommand *subcommand, const struct option *option)
{
    (void)subcommand;
    fprintf(out, " --%s", option->name);
    if (option->letter)
        fprintf(out, " -%c", option->letter);
}

static void put_bash_subcommand(FILE *out, const struct subcommand *subcommand)
{
    fprintf(out, "    %s)\n        case $previous in\n", subcommand->name);
    for_each_option(out, subcommand, put_bash_value);
    fputs("        esac\n        options='", out);
    for_each_option(out, subcommand, put_bash_name);
    fputs("'\n        words='", out);
    put_words(out, subcommand);
    fputs("'\n        ;;\n", out);
}

static void put_bash(FILE *out)
{
    fputs("# bash completion for parley; made by: parley completion bash\n"
          "_parley() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} options words\n"
          "    if [[ $previous == '=' ]]; then\n"
          "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    elif [[ $current == '=' ]]; then\n"
          "        current=\n"
          "    fi\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        mapfile -t COMPREPLY < <(compgen -W '",
          out);
    put_words(out, subcommand_named("help"));
    fputs(" --help --version' -- \"$current\")\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n", out);
    for (const struct subcommand *subcommand = subcommands; subcommand->name; subcommand++)
        put_bash_subcommand(out, subcommand);
    fputs("    esac\n"
          "    if [[ $current == -* ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
          "    elif ((COMP_CWORD == 2)); then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    fi\n"
          "}\n"
          "complete -F _parley parley\n",
          out);
}

/* ---- zsh ---- */

static void put_zsh_value(FILE *out, const struct option *option)
{
    putc(':', out);
    put_quoted(out, option->argument, ":\\"); /* a colon would end it: sha256:HEX */
    putc(':', out);
    if (option->choices)
        fprintf(out, "(%s)", option->choices);
    else if (option->kind == OPTION_PATH)
        fputs("_files", out);
    else if (option->kind == OPTION_HOST)
        fputs("_hosts", out);
    else
        fputs(" ", out);
}

static void put_zsh_option(FILE *out, const struct subcommand *subcommand, const struct option *option)
{
    const char *attached = option->argument ? "=" : "";

    (void)subcommand;
    if (option->letter) {
        fprintf(out, " \\\n            '(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name,
                option->letter, option->argument ? "+" : "", option->name, attached);
    } else {
        fprintf(out, " \\\n            '--%s%s[", option->name, attached);
    }
    put_quoted(out, option->help, "[]:\\");
    putc(']', out);
    if (option->argument)
        put_zsh_value(out, option);
    putc('\'', out);
}

static void put_zsh_words(FILE *out, const struct subcommand *subcommand, const char *what)
{
    const char *help, *word;

    fprintf(out, " '1:%s:((", what);
    for (size_t i = 0; (word = subcommand->word(i, &help)); i++) {
        fprintf(out, "%s%s\\:\"", i ? " " : "", word);
        put_quoted(out, help, "\":()\\");
        putc('"', out);
    }
    fputs("))'", out);
}

static void put_zsh(FILE *out)
{
    fputs("#compdef parley\n# zsh completion for parley; made by: parley completion zsh\n"
          "_parley() {\n    local line state\n    _arguments -C",
          out);
    put_zsh_words(out, subcommand_named("help"), "subcommand");
    fputs(" '*::operand:->operands'\n    case $line[1] in\n", out);
    for (const struct subcommand *subcommand = subcommands; subcommand->name; subcommand++) {
        fprintf(out, "    %s)\n        _arguments -s -S", subcommand->name);
        for_each_option(out, subcommand, put_zsh_option);
        if (subcommand->word) {
            fputs(" \\\n           ", out);
            put_zsh_words(out, subcommand, "operand");
        }
        fputs(" \\\n            '*:address:_hosts'\n        ;;\n", out);
    }
    fputs("    esac\n}\n_parley \"$@\"\n", out);
}

/* ---- fish ---- */

static void put_fish_option(FILE *out, const struct subcommand *subcommand, const struct option *option)
{
    fprintf(out, "complete -c parley -n '__parley_in %s' -l %s", subcommand->name, option->name);
    if (option->letter)
        fprintf(out, " -s %c", option->letter);
    if (option->choices)
        fprintf(out, " -x -a '%s'", option->choices);
    else if (option->kind == OPTION_PATH)
        fputs(" -r -F", out);
    else if (option->kind == OPTION_HOST)
        fputs(" -x -a '(__fish_print_hostnames)'", out);
    else if (option->argument)
        fputs(" -x", out);
    fputs(" -d '", out);
    put_quoted(out, option->help, "\\");
    fputs("'\n", out);
}

static void put_fish_words(FILE *out, const struct subcommand *subcommand, const char *condition)
{
    const char *help, *word;

    for (size_t i = 0; subcommand->word && (word = subcommand->word(i, &help)); i++) {
        fprintf(out, "complete -c parley -n '%s' -a %s -d '", condition, word);
        put_quoted(out, help, "\\");
        fputs("'\n", out);
    }
}

static void put_fish(FILE *out)
{
    char condition[64];

    fputs("# fish completion for parley; made by: parley completion fish\n"
          "function __parley_in\n"
          "    set -l words (commandline -opc)\n"
          "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
          "    and begin; test (count $argv) -eq 1; or test (count $words) -eq $argv[2]; end\n"
          "end\n"
          "complete -c parley -f\n",
          out);
    put_fish_words(out, subcommand_named("help"), "__fish_use_subcommand");
    for (const struct subcommand *subcommand = subcommands; subcommand->name; subcommand++) {
        snprintf(condition, sizeof condition, "__parley_in %s 2", subcommand->name);
        put_fish_words(out, subcommand, condition);
        for_each_option(out, subcommand, put_fish_option);
    }
}

/* ---- the subcommand ---- */

static const struct {
    const char *name, *help;
    void (*put)(FILE *out);
} shells[] = {
    {"bash", "for bash-completion/completions/parley", put_bash},
    {"zsh", "for site-functions/_parley", put_zsh},
    {"fish", "for vendor_completions.d/parley.fish", put_fish},
    {NULL, NULL, NULL},
};

const char *shell_word(size_t index, const char **help)
{
    *help = shells[index].help;
    return shells[index].name;
}

int completion_run(const struct arguments *arguments)
{
    const char *name = arguments->operands[0];

    for (size_t i = 0; name && shells[i].name; i++) {
        if (strcmp(shells[i].name, name) == 0) {
            shells[i].put(stdout);
            return EXIT_DONE;
        }
    }
    return complain(arguments->subcommand, "which shell? bash, zsh or fish");
}
