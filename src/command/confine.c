#include "command/confine.h"

#include <errno.h>
#include <libgen.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/error.h"
#include "sandbox/capabilities.h"
#include "sandbox/identity.h"

/* Callbacks are told the server alone, and parley_user() is the service's. */
static struct confinement {
    const struct arguments *arguments;
    struct identity identity;
    bool is_sandboxed; /* no --no-sandbox */
    char said[256];    /* what holds now, in one line; "" is nothing */
} confinement;

/* Root that stays root still reads again, and removes at the end, files that are somebody else's. Programs
 * that run as somebody else are given his identity, and ended. */
static uint64_t kept(const struct identity *identity)
{
    const uint64_t others = CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_KILL);

    if (identity->changes)
        return 0;
    return CAPABILITY(CAP_DAC_OVERRIDE) | (arguments_given(confinement.arguments, "as") ? others : 0);
}

/* Without CAP_IPC_LOCK the memory of rings is counted: what root may have is granted to who it becomes. */
static void keep_ring_memory(void)
{
    const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};

    if (geteuid() == 0)
        setrlimit(RLIMIT_MEMLOCK, &any); /* if it may not, a ring says so that cannot be had */
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

static void say_identity(const struct identity *identity)
{
    if (identity->changes)
        say("user %u, group %u", (unsigned)identity->user, (unsigned)identity->group);
    if (identity->root)
        say("root %s", identity->root);
    if (!kept(identity) || geteuid() != 0)
        say("no capabilities");
    else
        say("no capability but CAP_DAC_OVERRIDE%s", arguments_given(confinement.arguments, "as")
                                                        ? " and those to run programs as somebody else"
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

static int confine(void)
{
    const struct identity *identity = &confinement.identity;
    int status;

    if (!confinement.is_sandboxed && !identity->changes && !identity->root)
        return 0;
    keep_ring_memory();
    status = give_up(identity);
    identity_free(&confinement.identity);
    if (status)
        return status;
    say_identity(identity);
    if (!confinement.is_sandboxed)
        return 0;
    say("no new privileges");
    return capabilities_never_gain();
}

/* Better told now than found when the next start is refused. */
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

static int listening(parley_server *server)
{
    int status = confine();

    if (status == 0)
        status = announce_listeners(confinement.arguments, server);
    if (status == 0 && *confinement.said)
        parley_server_log(server, "confined: %s", confinement.said);
    if (status == 0)
        warn_of_remains(server);
    return status;
}

int confine_on_listening(const struct arguments *arguments, parley_server *server)
{
    const int status =
        identity_find(&confinement.identity, arguments_value(arguments, "user"),
                      arguments_value(arguments, "group"), arguments_value(arguments, "chroot"));

    if (status)
        return complain_failure(arguments->subcommand, status);
    confinement.arguments = arguments;
    confinement.is_sandboxed = !arguments_given(arguments, "no-sandbox");
    parley_on_listening(server, listening);
    return 0;
}
