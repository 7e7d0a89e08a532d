/* The protocol is a handful of variables. libsystemd reads them too, but cannot say what is wrong
 * with them, and brings compressors and a crypto library into every process that links it. */
#include "command/activation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "option/own_words.h"

enum { FIRST_PASSED = 3, MOST_PASSED = 1024 };

/* What the environment said. */
static struct passed {
    char *count, *process, *names; /* of LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES; NULL: not there */
    char *manager, *patience, *patience_for; /* of NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID */
    unsigned open;                           /* descriptors from 3 on that were there when we came */
    uint64_t number;                         /* sockets passed, once checked */
    bool is_checked, is_used;
} passed;

static char *take_variable(const char *name)
{
    const char *value = getenv(name);
    char *copy = value ? strdup(value) : NULL;

    unsetenv(name);
    return copy;
}

void take_what_is_passed(void)
{
    passed = (struct passed){.count = take_variable("LISTEN_FDS"),
                             .process = take_variable("LISTEN_PID"),
                             .names = take_variable("LISTEN_FDNAMES"),
                             .manager = take_variable("NOTIFY_SOCKET"),
                             .patience = take_variable("WATCHDOG_USEC"),
                             .patience_for = take_variable("WATCHDOG_PID")};
    while (passed.count && passed.open <= MOST_PASSED && fcntl(FIRST_PASSED + (int)passed.open, F_GETFD) >= 0)
        passed.open++;
}

void forget_what_was_passed(void)
{
    free(passed.count);
    free(passed.process);
    free(passed.names);
    free(passed.manager);
    free(passed.patience);
    free(passed.patience_for);
}

/* ---- whether it is meant, and right ---- */

static bool is_us(const char *process)
{
    uint64_t number;

    return process && parse_count(process, &number) == 0 && number == (uint64_t)getpid();
}

static int check_number(const struct arguments *arguments)
{
    if (parse_count(passed.count, &passed.number) < 0 || passed.number < 1 || passed.number > MOST_PASSED) {
        return complain(arguments->subcommand, "LISTEN_FDS is \"%s\": a number of sockets is wanted, 1 to %d",
                        passed.count, MOST_PASSED);
    }
    if (passed.number > passed.open) {
        return complain(arguments->subcommand, "LISTEN_FDS is %s, but descriptor %u is not open",
                        passed.count, FIRST_PASSED + passed.open);
    }
    passed.is_checked = true;
    return 0;
}

static int check_passed(const struct arguments *arguments)
{
    if (passed.is_checked)
        return 0;
    if (!passed.count) {
        return complain(arguments->subcommand,
                        "systemd: no socket was passed (LISTEN_FDS is not set); a socket "
                        "unit or systemd-socket-activate passes them");
    }
    if (!is_us(passed.process)) {
        return complain(arguments->subcommand,
                        "LISTEN_FDS is meant for process %s (LISTEN_PID), and this is %d",
                        passed.process ? passed.process : "nobody", (int)getpid());
    }
    return check_number(arguments);
}

/* ---- taking them ---- */

/* The words of LISTEN_FDNAMES stand between colons, one for each socket. */
static bool has_name(const char *names, uint64_t index, const char *wanted)
{
    for (; names && index > 0; index--) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    return names && strcspn(names, ":") == strlen(wanted) && strncmp(names, wanted, strlen(wanted)) == 0;
}

static int take_named(const struct arguments *arguments, parley_server *server, const char *name,
                      const char *words)
{
    int status = check_passed(arguments), found = 0;

    passed.is_used = true;
    for (uint64_t i = 0; status == 0 && i < passed.number; i++)
        if (*name == '\0' || has_name(passed.names, i, name)) {
            const int listened = parley_listen_fd(server, FIRST_PASSED + (int)i);

            status = listened ? complain_failure(arguments->subcommand, listened)
                              : own_words_set(arguments, server, words);
            found++;
        }
    if (status == 0 && found == 0) {
        return complain(arguments->subcommand,
                        "systemd:%s: no socket of this name was passed; LISTEN_FDNAMES is \"%s\"", name,
                        passed.names ? passed.names : "");
    }
    return status;
}

/* ---- telling it ---- */

static int complain_variable(const struct arguments *arguments, const char *name, int status)
{
    return status ? complain(arguments->subcommand, "%s: %s", name, parley_error()) : 0;
}

static int set_watchdog(const struct arguments *arguments, parley_server *server, const char *patience)
{
    char time[32];

    snprintf(time, sizeof time, "%sus", patience);
    return complain_variable(arguments, "WATCHDOG_USEC", parley_set(server, "watchdog", time));
}

int tell_manager(const struct arguments *arguments, parley_server *server)
{
    int status;

    if (!passed.manager)
        return 0;
    status = complain_variable(arguments, "NOTIFY_SOCKET", parley_set(server, "notify", passed.manager));
    if (status == 0 && passed.patience && (!passed.patience_for || is_us(passed.patience_for)))
        status = set_watchdog(arguments, server, passed.patience);
    return status;
}

/* ---- where to listen ---- */

static int listen_at(const struct arguments *arguments, parley_server *server, const char *address,
                     const char *words)
{
    uint64_t descriptor;
    int status;

    if (strncmp(address, "systemd:", strlen("systemd:")) == 0)
        return take_named(arguments, server, address + strlen("systemd:"), words);
    if (strncmp(address, "fd:", strlen("fd:")) != 0)
        status = parley_listen(server, address);
    else if (parse_count(address + strlen("fd:"), &descriptor) == 0 && descriptor <= INT32_MAX)
        status = parley_listen_fd(server, (int)descriptor);
    else
        return complain(arguments->subcommand, "%s: the number of an open descriptor is wanted, as in fd:3",
                        address);
    return status ? complain_failure(arguments->subcommand, status) : own_words_set(arguments, server, words);
}

/* Behind the address may be words for this listener alone. */
static int listen_with_words(const struct arguments *arguments, parley_server *server, char *address)
{
    const size_t length = address_length_of(address);
    const char *words = address + length + (address[length] != '\0');

    address[length] = '\0';
    return listen_at(arguments, server, address, words);
}

/* A socket nobody accepts from leaves its clients waiting for ever. */
static int check_unused(const struct arguments *arguments)
{
    if (passed.is_used || !passed.count || !is_us(passed.process))
        return 0;
    return complain(
        arguments->subcommand,
        "LISTEN_FDS passes %s, which the addresses given leave out; add systemd:, or give no address",
        passed.count);
}

int listen_where_asked(const struct arguments *arguments, size_t first, parley_server *server)
{
    char **addresses;
    int status;

    if (passed.count && !arguments_name_address(arguments, first))
        return take_named(arguments, server, "", "");
    addresses = arguments_addresses(arguments, first);
    status = addresses ? 0 : EXIT_USAGE;
    for (char **address = addresses; address && *address && status == 0; address++)
        status = listen_with_words(arguments, server, *address);
    addresses_free(addresses);
    return status ? status : check_unused(arguments);
}
