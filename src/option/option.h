/* The command's options. One table per subcommand drives parsing, help, completion and the manual.
 *
 * A subcommand gets `struct arguments`: what was given, in order. Options that name a `setting` are
 * handed to parley_set() by arguments_apply(); the others are read by name. Every complaint is one
 * sentence on stderr that says what was wrong and what would be right. */
#ifndef OPTION_OPTION_H
#define OPTION_OPTION_H

#include <parley.h>

enum option_kind {
    OPTION_TEXT,     /* any text; a switch where `argument` is NULL */
    OPTION_TIME,     /* "30s", checked when parsed: arguments_time() */
    OPTION_COUNT,    /* a whole number from 0, checked when parsed: arguments_count() */
    OPTION_PORT,     /* a number up to 65535, checked when parsed */
    OPTION_PATH,     /* a file: completed as one */
    OPTION_HOST,     /* a host: completed as one */
    OPTION_MAYBE,    /* a switch; the next word is its value if it is one of the choices, or after = */
    OPTION_HELP,     /* prints the help of the subcommand */
    OPTION_ACCEPTED, /* taken for the habit of other tools' users; already so */
    OPTION_REFUSED   /* known and not done: `help` is the sentence; not listed */
};

struct option {
    const char *name;     /* without dashes */
    const char *argument; /* what stands in the help for its value; NULL: a switch */
    const char *help;     /* begins in lower case, no full stop */
    const char *setting;  /* the parley_set() name it sets; NULL: the subcommand reads it */
    const char *value;    /* what a switch sets; NULL is "on" */
    const char *choices;  /* the values it may have, separated by spaces; NULL: any */
    const char *reason;   /* why it has no others, and which it has; NULL: the nearest choice is named */
    char letter;          /* its short form; 0: none */
    bool may_be_empty;    /* "" is a value of it; of any other it is a mistake, such as an unset variable */
    enum option_kind kind;
};

/* Options under one heading of the help; the last has no name. */
struct option_group {
    const char *title;
    const struct option *options;
    const char *service; /* only this service of `serve` takes them; NULL: all */
};

struct arguments;

struct subcommand {
    const char *name;
    const char *operands;                     /* as the usage line shows them; "" is none */
    const char *purpose;                      /* one line */
    const char *examples;                     /* command lines, each ended by a newline */
    const struct option_group *const *groups; /* the last is NULL */
    /* The words that the first operand may be: the index-th and what it is; NULL after the last. */
    const char *(*word)(size_t index, const char **help);
    int (*run)(const struct arguments *arguments); /* returns the exit code */
};

struct given {
    const struct option *option;
    const char *value; /* a switch: what it sets */
};

/* What the command line said. The texts are the caller's argv. */
struct arguments {
    const struct subcommand *subcommand;
    struct given *given;
    size_t given_count;
    const char **operands; /* what is no option, in order; NULL after the last */
    size_t operand_count;
    size_t before_dashes; /* of these, how many stood before "--"; all, without one */
    bool help;            /* -h or --help came: nothing after it was looked at */
};

/* Parses the words after the subcommand's name. 0, or 2 after a complaint. Free it either way. */
int arguments_parse(struct arguments *arguments, const struct subcommand *subcommand, int count,
                    char *const *words);
void arguments_free(struct arguments *arguments);

/* The value given last under this long name (a switch: "on" or its value); NULL when not given. */
const char *arguments_value(const struct arguments *arguments, const char *name);
bool arguments_given(const struct arguments *arguments, const char *name);
/* For OPTION_TIME, in milliseconds, and OPTION_COUNT; `otherwise` when not given. */
int64_t arguments_time(const struct arguments *arguments, const char *name, int64_t otherwise);
int64_t arguments_count(const struct arguments *arguments, const char *name, int64_t otherwise);

/* The command line as it could be typed again: operands first, letters where there are any. Allocated, NULL
 * without memory. */
char *arguments_quoted(const struct arguments *arguments);

/* Hands every given option with a `setting` to parley_set(), in order, so that the last one wins.
 * Set a subcommand's own defaults before. 0, or the exit code after a complaint. */
int arguments_apply(const struct arguments *arguments, parley_server *server);

/* The addresses named by the operands from `first` on, by --listen, -U, and -p with -i or -d, as
 * parley_listen() and parley_dial() take them: allocated, the last NULL; addresses_free(). NULL after a
 * complaint; none given is one. Rules: a host without a port takes the bare port that follows it
 * ("127.0.0.1 8000", "::1 8000"), or that of -p; a bare port takes the host of -i or -d. */
char **arguments_addresses(const struct arguments *arguments, size_t first);
/* Whether there is any part of one. */
bool arguments_name_address(const struct arguments *arguments, size_t first);
void addresses_free(char **addresses);
/* The same where there can be one only (connect, listen): allocated, NULL after a complaint. Two
 * operands are HOST PORT, and PORT may be a service name. */
char *arguments_address(const struct arguments *arguments);

/* The name nearest to `word` among `names` (separated by spaces); NULL when none is near. The text
 * lives until the next call. */
const char *nearest_name(const char *word, const char *names);

#endif
