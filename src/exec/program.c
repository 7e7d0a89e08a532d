#include "exec/program.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "engine/server.h"
#include "exec/places.h"
#include "option/complain.h"

/* ---- the file ------------------------------------------------------------------------------- */

/* The directories that a shell searches when PATH is not set. */
static const char *search_path(void)
{
    const char *path = getenv("PATH");

    return path && *path ? path : "/usr/local/bin:/usr/bin:/bin";
}

static char *join(const char *directory, size_t length, const char *name)
{
    const size_t size = length + strlen(name) + 2;
    char *path = malloc(size);

    if (path)
        snprintf(path, size, "%.*s/%s", (int)length, directory, name);
    return path;
}

/* Looked up once, so that no child searches, and a name that is nowhere is told at the start. */
static char *find_file(const char *name)
{
    char *path = NULL;

    if (strchr(name, '/'))
        return strdup(name);
    for (const char *directory = search_path(); directory; directory = strchr(directory, ':')) {
        directory += *directory == ':';
        free(path);
        path = join(*directory == ':' || !*directory ? "." : directory, strcspn(directory, ":"), name);
        if (path && access(path, X_OK) == 0)
            return path;
    }
    free(path);
    errno = ENOENT;
    return NULL;
}

/* Once the root is another one the program is looked for there, and with it all that it needs. */
static int check_root(const struct program *program, const struct arguments *arguments)
{
    const char *root = arguments_value(arguments, "chroot");
    char *path = root && *program->path == '/' ? join(root, strlen(root), program->path + 1) : NULL;
    const bool is_there = !path || access(path, X_OK) == 0;

    free(path);
    return is_there ? 0
                    : complain(arguments->subcommand,
                               "%s is not in %s, which --chroot makes the root of programs too",
                               program->path, root);
}

static int find_program(struct program *program, const struct arguments *arguments)
{
    const struct subcommand *subcommand = arguments->subcommand;
    const char *name = program->words[0];
    struct stat status;

    program->path = find_file(name);
    if (!program->path)
        return complain(subcommand, "there is no program %s in PATH", name);
    if (access(program->path, X_OK) < 0)
        return complain(subcommand, "%s cannot be run: %s", name, reason_of("access", errno));
    if (stat(program->path, &status) == 0 && !S_ISREG(status.st_mode))
        return complain(subcommand, "%s cannot be run: not a regular file", name);
    return check_root(program, arguments);
}

static int take_words(struct program *program, const struct arguments *arguments, const char *const *words)
{
    const char *line = arguments_value(arguments, "shell");
    const char *const shell[] = {"/bin/sh", "-c", line, NULL};
    const char *const *from = line ? shell : words;
    size_t count = 0;

    if (line && *words)
        return complain(arguments->subcommand, "--shell and a program behind -- exclude each other");
    if (!*from)
        return complain(arguments->subcommand,
                        "which program? Name it behind --, as in parley serve exec 3000 -- cat");
    while (from[count])
        count++;
    program->words = calloc(count + 1, sizeof *program->words);
    if (!program->words)
        return complain(arguments->subcommand, "no memory");
    memcpy(program->words, from, count * sizeof *from);
    return find_program(program, arguments);
}

/* ---- the environment ------------------------------------------------------------------------ */

static bool add_variable(struct program *program, char *text)
{
    if (text)
        program->environment[program->environment_count++] = text;
    return text != NULL;
}

static char *variable_of(const char *name, const char *value)
{
    const size_t size = strlen(name) + strlen(value) + 2;
    char *text = malloc(size);

    if (text)
        snprintf(text, size, "%s=%s", name, value);
    return text;
}

/* "NAME=VALUE", or "NAME" for what it is here: one that is not set here is not set there. */
static bool pass_variable(struct program *program, const char *given)
{
    const char *value = strchr(given, '=') ? NULL : getenv(given);

    if (strchr(given, '='))
        return add_variable(program, strdup(given));
    return !value || add_variable(program, variable_of(given, value));
}

static int take_environment(struct program *program, const struct arguments *arguments)
{
    const struct subcommand *subcommand = arguments->subcommand;
    bool whole;

    program->environment = calloc(arguments->given_count + 2, sizeof *program->environment);
    whole = program->environment != NULL;
    for (size_t i = 0; whole && i < arguments->given_count; i++) {
        const struct given *given = &arguments->given[i];

        if (strcmp(given->option->name, "env") != 0)
            continue;
        if (!*given->value || *given->value == '=')
            return complain(subcommand, "--env %s: give NAME or NAME=VALUE", given->value);
        whole = pass_variable(program, given->value);
    }
    /* Behind an --env PATH=…, which a program then finds first. */
    if (whole && add_variable(program, variable_of("PATH", search_path())))
        return 0;
    return complain(subcommand, "no memory");
}

/* ---- limits --------------------------------------------------------------------------------- */

static const struct resource {
    const char *name;
    int number;
    int (*parse)(const char *text, uint64_t *value);
} resources[] = {
    {"as", RLIMIT_AS, parse_size},          {"core", RLIMIT_CORE, parse_size},
    {"cpu", RLIMIT_CPU, parse_count},       {"data", RLIMIT_DATA, parse_size},
    {"fsize", RLIMIT_FSIZE, parse_size},    {"memlock", RLIMIT_MEMLOCK, parse_size},
    {"nofile", RLIMIT_NOFILE, parse_count}, {"nproc", RLIMIT_NPROC, parse_count},
    {"stack", RLIMIT_STACK, parse_size},
};

static const struct resource *resource_of(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++)
        if (strlen(resources[i].name) == length && strncmp(resources[i].name, name, length) == 0)
            return &resources[i];
    return NULL;
}

/* "nofile=64", "as=512MiB", "cpu=10". */
static int add_limit(struct program *program, const struct subcommand *subcommand, const char *text)
{
    const char *equals = strchr(text, '=');
    const struct resource *resource = equals ? resource_of(text, (size_t)(equals - text)) : NULL;
    struct limit *limit = &program->limits[program->limit_count];
    uint64_t value;

    if (!resource) {
        return complain(subcommand,
                        "--rlimit %s: give NAME=VALUE with as, core, cpu, data, fsize, memlock, "
                        "nofile, nproc or stack",
                        text);
    }
    if (program->limit_count == MOST_LIMITS)
        return complain(subcommand, "--rlimit %s: at most %d limits", text, MOST_LIMITS);
    if (resource->parse(equals + 1, &value) < 0)
        return complain(subcommand, "--rlimit %s: %s%s", text, parley_error(),
                        resource->number == RLIMIT_CPU ? "; it is in seconds" : "");
    *limit = (struct limit){resource->number, {value, value}};
    program->limit_count++;
    return 0;
}

static int take_limits(struct program *program, const struct arguments *arguments)
{
    int status = 0;

    for (size_t i = 0; i < arguments->given_count && status == 0; i++)
        if (strcmp(arguments->given[i].option->name, "rlimit") == 0)
            status = add_limit(program, arguments->subcommand, arguments->given[i].value);
    return status;
}

/* ---- who it runs as ------------------------------------------------------------------------- */

static int take_identity(struct program *program, const struct arguments *arguments)
{
    const struct subcommand *subcommand = arguments->subcommand;
    const char *user = arguments_value(arguments, "as");

    if (!user)
        return 0;
    if (geteuid() != 0)
        return complain(subcommand, "--as %s: only root can run programs as somebody else", user);
    if (arguments_given(arguments, "user") || arguments_given(arguments, "group")) {
        return complain(subcommand,
                        "--as %s: a server that has become another user by --user can start no "
                        "program as a third one; give one of the two",
                        user);
    }
    if (!getpwnam(user) && user[strspn(user, "0123456789")] != '\0')
        return complain(subcommand, "--as %s: there is no such user", user);
    program->has_identity = true;
    if (identity_find(&program->identity, user, NULL, NULL) < 0)
        return complain(subcommand, "--as %s: %s", user, parley_error());
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Whoever started us may ignore SIGCHLD: children would then be reaped by nobody, and how they ended not be
 * known.
 */
static void reap_by_ourselves(void)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};

    sigaction(SIGCHLD, &usual, NULL);
}

int program_read(struct program *program, const struct arguments *arguments, const char *const *words)
{
    int status;

    reap_by_ourselves();
    *program = (struct program){.grace = arguments_time(arguments, "grace", 5000),
                                .errors_to_client = arguments_given(arguments, "stderr-to-client"),
                                .has_terminal = arguments_given(arguments, "pty"),
                                .gains_privileges = arguments_given(arguments, "new-privileges")};
    status = take_words(program, arguments, words);
    if (status == 0)
        status = take_environment(program, arguments);
    if (status == 0)
        status = take_limits(program, arguments);
    if (status == 0)
        status = take_identity(program, arguments);
    return status ? status : places_make(program, arguments);
}

/* What needs to see the bytes of a connection, by the option that asks for it; NULL: nothing. */
static const char *watching_option(const struct program *program, const struct options *options)
{
    const struct limits *limits = &options->limits;

    return program->has_terminal             ? "pty"
           : options->tls.serving != TLS_OFF ? "tls"
           : options->proxy_from.count > 0   ? "proxy-from"
           : options->proxy_send             ? "proxy-send"
           : options->idle > 0               ? "idle"
           : limits->first_byte > 0          ? "first-byte"
           : limits->bytes_max > 0           ? "bytes-max"
           : limits->rate_span > 0           ? "min-rate"
                                             : NULL;
}

/* Under blocking the program has the client's own socket: nothing of ours stands between. */
int program_check(const struct program *program, const struct arguments *arguments,
                  const parley_server *server)
{
    const struct options *options = &server->options;
    const char *watching = NULL;

    if (options->framing.kind != FRAMING_RAW)
        return complain(arguments->subcommand, "exec passes on bytes, not messages: leave out --framing");
    for (const struct door *door = &server->front; door && options->model.poller->deaf && !watching;
         door = door->next)
        watching = watching_option(program, door->options);
    if (!watching)
        return 0;
    return complain(arguments->subcommand,
                    "under blocking a program has the client's own socket, and nobody stands "
                    "between for --%s (choose select, poll, epoll or uring)",
                    watching);
}

void program_free(struct program *program)
{
    for (size_t i = 0; i < program->environment_count; i++)
        free(program->environment[i]);
    free(program->environment);
    free(program->words);
    free(program->path);
    identity_free(&program->identity);
    places_free(program);
}
