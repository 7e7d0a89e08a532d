#include "command/confine.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/error.h"
#include "engine/server.h"
#include "poller/poller.h"
#include "sandbox/capabilities.h"
#include "sandbox/filter.h"
#include "sandbox/identity.h"
#include "sandbox/landlock.h"

/* Callbacks are told the server alone, and parley_user() is the service's. */
static struct confinement {
    const struct arguments *arguments;
    struct identity identity;
    unsigned needs;
    bool is_sandboxed; /* no --no-sandbox, and no programs to be started */
    bool locks_rings;  /* their memory counts for who lacks CAP_IPC_LOCK */
    char said[512];    /* what holds now, in one line; "" is nothing */
} confinement;

/* Root that stays root still reads again, and removes at the end, files that are somebody else's. Programs
 * that run as somebody else are given his identity, and ended. */
static uint64_t kept(const struct identity *identity)
{
    const uint64_t others = CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_KILL);

    if (identity->changes)
        return 0;
    return CAPABILITY(CAP_DAC_OVERRIDE) | (arguments_given(confinement.arguments, "as") ? others : 0) |
           (confinement.locks_rings ? CAPABILITY(CAP_IPC_LOCK) : 0);
}

/* Without CAP_IPC_LOCK the memory of rings is counted: what root may have is granted to who it becomes. In a
 * container it may not grant it; the capability is kept then. Who becomes somebody else cannot keep it: a
 * ring says so that cannot be had. */
static void keep_ring_memory(const parley_server *server)
{
    const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};

    if (geteuid() == 0 && server->options.model.poller == &poller_uring)
        confinement.locks_rings = setrlimit(RLIMIT_MEMLOCK, &any) < 0;
}

/* One more thing that holds: ", user 65534". */
static void say(const char *format, ...) PARLEY_PRINTF(1, 2);
static void say(const char *format, ...)
{
    const size_t used = strlen(confinement.said);
    va_list arguments;

    va_start(arguments, format);
    if (used > 0)
        snprintf(confinement.said + used, sizeof confinement.said - used, ", ");
    vsnprintf(confinement.said + strlen(confinement.said), sizeof confinement.said - strlen(confinement.said),
              format, arguments);
    va_end(arguments);
}

/* Containers may lack both; that is no failure, and worth a word to who wants to know. */
static void say_missing(const char *call)
{
    if (arguments_given(confinement.arguments, "verbose"))
        say("without %s (%s)", call, reason_of(call, errno));
}

static void say_identity(const struct identity *identity)
{
    if (identity->changes)
        say("user %u, group %u", (unsigned)identity->user, (unsigned)identity->group);
    if (identity->root)
        say("root %s", identity->root);
    if (!kept(identity) || geteuid() != 0)
        say("no capabilities");
    else
        say("no capability but CAP_DAC_OVERRIDE%s%s", confinement.locks_rings ? " and CAP_IPC_LOCK" : "",
            arguments_given(confinement.arguments, "as") ? " and those to run programs as somebody else"
                                                         : "");
}

/* Bounded first, which takes a capability, and checked last, when none is left to help. */
static int give_up(const struct identity *identity)
{
    int status = capabilities_bound(kept(identity));

    if (status == 0)
        status = identity_take(identity);
    if (status == 0)
        status = capabilities_drop(kept(identity));
    return status ? status : identity_verify(identity);
}

/* ---- the sandbox ---- */

struct paths {
    struct left_paths left;
    char reads[LEFT_PATHS][PATH_MAX], removes[LEFT_PATHS][PATH_MAX];
};

/* The directory that a file's name leads to: it may have been replaced by then, by another one in there. */
static void leave_file(struct paths *paths, const char *file)
{
    struct left_paths *left = &paths->left;
    char *real = paths->reads[left->read_count];
    const char *directory = realpath(file, real) ? dirname(real) : NULL;

    for (size_t i = 0; i < left->read_count && directory; i++)
        if (strcmp(left->reads[i], directory) == 0)
            directory = NULL;
    if (directory)
        left->reads[left->read_count++] = directory;
    if (left->read_count == LEFT_PATHS)
        left->reads[--left->read_count - 1] = "/"; /* so many: all that this user may read */
}

/* Files that can be read again are values of options: of those that name a file, and of lists that begin with
 * an @. */
static void find_files(struct paths *paths)
{
    for (size_t i = 0; i < confinement.arguments->given_count; i++) {
        const struct given *given = &confinement.arguments->given[i];
        const bool is_path = given->option->kind == OPTION_PATH && given->option->setting;

        if (is_path || *given->value == '@')
            leave_file(paths, given->value + !is_path);
    }
}

static void find_sockets(struct paths *paths, const parley_server *server)
{
    struct left_paths *left = &paths->left;

    for (size_t i = 0; i < parley_listeners(server) && left->remove_count < LEFT_PATHS; i++) {
        const char *address = parley_listener_address(server, i);
        char *path = paths->removes[left->remove_count];

        if (strncmp(address, "unix:", strlen("unix:")) != 0)
            continue;
        snprintf(path, PATH_MAX, "%s", address + strlen("unix:"));
        left->removes[left->remove_count++] = dirname(path);
    }
}

static int confine_files(const struct left_paths *left)
{
    const int abi = landlock_confine(left);

    if (abi == 0)
        say_missing("landlock");
    else if (abi > 0 && left->read_count == 0)
        say("no files");
    else if (abi > 0)
        say("no files but below %s%s", left->reads[0], left->read_count > 1 ? ", …" : "");
    return abi < 0 ? abi : 0;
}

/* What the model and the files of this server will ask of the kernel. */
static unsigned filter_of(const parley_server *server, const struct left_paths *left)
{
    const struct model *model = &server->options.model;

    return (model->placement->processes ? FILTER_FORKS : 0) |
           (model->poller == &poller_uring ? FILTER_RINGS : 0) | (left->read_count ? FILTER_READS : 0) |
           (left->remove_count ? FILTER_REMOVES : 0) | (server->options.explain ? FILTER_EXPLAINS : 0) |
           (confinement.needs & CONFINE_TALKS ? FILTER_TALKS : 0) |
           (confinement.needs & CONFINE_DIALS ? FILTER_DIALS : 0);
}

/* Workers are who talks to strangers. */
static int narrow(parley_server *server, bool starts_others)
{
    (void)server;
    return filter_narrow(starts_others);
}

static int confine_calls(parley_server *server, unsigned needs)
{
    const bool is_available = filter_is_available();
    const int calls = is_available ? filter_install(needs) : 0;

    if (is_available)
        server->settled = narrow;
    if (!is_available)
        say_missing("seccomp");
    else if (calls > 0)
        say("%d system calls", calls);
    return calls < 0 ? calls : 0;
}

/* Files first: the filter allows none of the calls that would do it. An operator, and who dials, opens files
 * nobody knows of yet. */
static int enter_sandbox(parley_server *server)
{
    static struct paths paths;
    int status = capabilities_never_gain();

    if (status)
        return status;
    say("no new privileges");
    find_files(&paths);
    find_sockets(&paths, server);
    if (!(confinement.needs & (CONFINE_TALKS | CONFINE_DIALS)))
        status = confine_files(&paths.left);
    return status ? status : confine_calls(server, filter_of(server, &paths.left));
}

/* Better told now than found when the next start is refused; and asked now, while it can be. */
static void warn_of_remains(parley_server *server)
{
    for (size_t i = 0; i < parley_listeners(server); i++) {
        const char *address = parley_listener_address(server, i), *path = address + strlen("unix:");
        char directory[256];

        if (strncmp(address, "unix:", strlen("unix:")) != 0)
            continue;
        snprintf(directory, sizeof directory, "%s", path);
        if (access(dirname(directory), W_OK) < 0)
            parley_server_log(server, "%s will stay behind at the end: %s: %s", address, directory,
                              reason_of("access", errno));
    }
}

static int confine(parley_server *server)
{
    const struct identity *identity = &confinement.identity;
    int status;

    if (!confinement.is_sandboxed && !identity->changes && !identity->root)
        return 0;
    keep_ring_memory(server);
    status = give_up(identity);
    identity_free(&confinement.identity);
    if (status)
        return status;
    say_identity(identity);
    warn_of_remains(server);
    return confinement.is_sandboxed ? enter_sandbox(server) : 0;
}

static int listening(parley_server *server)
{
    int status = confine(server);

    if (status == 0)
        status = announce_listeners(confinement.arguments, server);
    if (status == 0 && *confinement.said)
        parley_server_log(server, "confined: %s", confinement.said);
    return status;
}

int confine_on_listening(const struct arguments *arguments, parley_server *server, unsigned needs)
{
    const int status =
        identity_find(&confinement.identity, arguments_value(arguments, "user"),
                      arguments_value(arguments, "group"), arguments_value(arguments, "chroot"));

    if (status)
        return complain_failure(arguments->subcommand, status);
    confinement.arguments = arguments;
    confinement.needs = needs;
    confinement.is_sandboxed = !arguments_given(arguments, "no-sandbox") && !(needs & CONFINE_PROGRAMS);
    parley_on_listening(server, listening);
    return 0;
}
