#include "command/confine.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
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
    bool is_sandboxed;  /* no --no-sandbox */
    bool programs_gain; /* --new-privileges */
    bool locks_rings;   /* their memory counts for who lacks CAP_IPC_LOCK */
    char said[512];     /* what holds now, in one line; "" is nothing */
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
    int status = confinement.programs_gain ? 0 : capabilities_bound(kept(identity));

    if (status == 0)
        status = identity_take(identity);
    if (status == 0)
        status = capabilities_drop(kept(identity));
    return status ? status : identity_verify(identity);
}

/* ---- the sandbox ---- */

static void free_list(struct path_list *list)
{
    while (list->count > 0)
        free(list->paths[--list->count]);
    free(list->paths);
}

static bool is_listed(const struct path_list *list, const char *directory)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->paths[i], directory) == 0)
            return true;
    return false;
}

static int list_directory(struct path_list *list, const char *directory)
{
    if (is_listed(list, directory))
        return 0;
    char **paths = realloc(list->paths, (list->count + 1) * sizeof *paths);
    if (paths)
        list->paths = paths;
    char *copy = paths ? strdup(directory) : NULL;
    if (!copy)
        return fail(PARLEY_RESOURCE, "no memory for the files that are left");
    list->paths[list->count++] = copy;
    return 0;
}

/* The directory that a file's name leads to: it may have been replaced by then, by another one in there. */
static int leave_file(struct path_list *reads, const char *file)
{
    char real[PATH_MAX];

    return realpath(file, real) ? list_directory(reads, dirname(real)) : 0;
}

/* Files that can be read again are values of options: of those that name a file, and of lists that begin with
 * an @. */
static int find_files(struct path_list *reads)
{
    int status = 0;

    for (size_t i = 0; i < confinement.arguments->given_count && status == 0; i++) {
        const struct given *given = &confinement.arguments->given[i];
        const bool is_path = given->option->kind == OPTION_PATH && given->option->setting;

        if (is_path || *given->value == '@')
            status = leave_file(reads, given->value + !is_path);
    }
    return status;
}

/* A listener may have lists of its own. */
static int find_lists(struct path_list *reads, const struct access_sources *sources)
{
    int status = 0;

    for (size_t i = 0; i < sources->count && status == 0; i++)
        if (*sources->items[i].text == '@')
            status = leave_file(reads, sources->items[i].text + 1);
    return status;
}

static int find_sockets(struct path_list *removes, const parley_server *server)
{
    int status = 0;

    for (size_t i = 0; i < parley_listeners(server) && status == 0; i++) {
        char path[PATH_MAX];

        if (!server_socket_file(server, i))
            continue;
        snprintf(path, sizeof path, "%s", server_socket_file(server, i));
        status = list_directory(removes, dirname(path));
    }
    return status;
}

static int confine_files(const struct left_paths *left)
{
    const int abi = landlock_confine(left);

    if (abi == 0)
        say_missing("landlock");
    else if (abi > 0 && left->reads.count == 0)
        say("no files");
    else if (abi > 0)
        say("no files but below %s%s", left->reads.paths[0], left->reads.count > 1 ? ", …" : "");
    return abi < 0 ? abi : 0;
}

/* What the model and the files of this server will ask of the kernel. */
static unsigned filter_of(const parley_server *server, const struct left_paths *left)
{
    const struct model *model = &server->options.model;

    return (model->placement->processes ? FILTER_FORKS : 0) |
           (model->poller == &poller_uring ? FILTER_RINGS : 0) | (left->reads.count ? FILTER_READS : 0) |
           (left->removes.count ? FILTER_REMOVES : 0) | (server->options.explain ? FILTER_EXPLAINS : 0) |
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
    struct left_paths left = {.reads = {.count = 0}};
    int status = capabilities_never_gain();

    if (status)
        return status;
    say("no new privileges");
    status = find_files(&left.reads);
    for (const struct door *door = server->front.next; door && status == 0; door = door->next)
        status = find_lists(&left.reads, &door->options->access);
    if (status == 0)
        status = find_sockets(&left.removes, server);
    if (status == 0 && !(confinement.needs & (CONFINE_TALKS | CONFINE_DIALS)))
        status = confine_files(&left);
    if (status == 0)
        status = confine_calls(server, filter_of(server, &left));
    free_list(&left.reads);
    free_list(&left.removes);
    return status;
}

/* Filters are inherited, so programs are left all that one may need. Where they may gain privileges it takes
 * some to make a filter: it comes before any is given up. */
static int confine_programs(void)
{
    int status = confinement.programs_gain ? 0 : capabilities_never_gain();

    if (status)
        return status;
    say(confinement.programs_gain ? "programs may gain privileges" : "no new privileges");
    status = filter_is_available() ? filter_for_programs() : 0;
    if (status > 0)
        say("%d system calls forbidden, to programs too", status);
    else if (status < 0 && confinement.programs_gain)
        say("no filter of system calls (with --new-privileges only root may make one)");
    else if (status == 0)
        say_missing("seccomp");
    return status < 0 && !confinement.programs_gain ? status : 0;
}

/* Better told now than found when the next start is refused; and asked now, while it can be. */
static void warn_of_remains(parley_server *server)
{
    for (size_t i = 0; i < parley_listeners(server); i++) {
        char directory[PATH_MAX];

        if (!server_socket_file(server, i))
            continue;
        snprintf(directory, sizeof directory, "%s", server_socket_file(server, i));
        if (access(dirname(directory), W_OK) < 0)
            parley_server_log(server, "%s will stay behind at the end: %s: %s",
                              parley_listener_address(server, i), directory, reason_of("access", errno));
    }
}

static int become_less(parley_server *server)
{
    const struct identity *identity = &confinement.identity;
    int status;

    keep_ring_memory(server);
    status = give_up(identity);
    if (status)
        return status;
    say_identity(identity);
    warn_of_remains(server);
    return 0;
}

/* Programs that run as root may need what root has. */
static int confine(parley_server *server)
{
    const struct identity *identity = &confinement.identity;
    const bool starts_programs = confinement.needs & CONFINE_PROGRAMS;
    const bool is_asked = identity->changes || identity->root;
    int status = 0;

    if (confinement.is_sandboxed && starts_programs)
        status = confine_programs();
    if (status == 0 && (is_asked || (confinement.is_sandboxed && !starts_programs)))
        status = become_less(server);
    identity_free(&confinement.identity);
    if (status == 0 && confinement.is_sandboxed && !starts_programs)
        status = enter_sandbox(server);
    return status;
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
    confinement.is_sandboxed = !arguments_given(arguments, "no-sandbox");
    confinement.programs_gain = arguments_given(arguments, "new-privileges");
    parley_on_listening(server, listening);
    return 0;
}
