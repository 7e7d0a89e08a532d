#include "net/race.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"

enum { ATTEMPT_DELAY = 250, FULL_DELAY_FIRST = 5, FULL_DELAY_MAX = 100 };

struct race {
    const struct course *course;
    const struct address_list *addresses;
    struct pollfd *fds; /* [0] is patience's, then the attempts under way */
    size_t *tries;      /* which address fds[1 + i] is trying */
    size_t flying;      /* attempts under way */
    size_t next;        /* the first address not tried yet */
    size_t announced;   /* addresses that `progress` has heard of */
    int64_t next_start; /* when `next` is to be tried */
    int64_t full_delay; /* pause before a full unix listener is tried again */
    /* The failure to report if all fail. */
    const char *call;
    const struct address *failed;
    int error;
};

static const struct sockaddr *name_of(const struct address *address)
{
    return (const struct sockaddr *)&address->storage;
}

static void say(const struct race *race, const char *what, const struct address *address)
{
    const struct dial_options *options = race->course->options;
    char text[ADDRESS_TEXT];
    char sentence[ADDRESS_TEXT + 32];

    if (options->progress == NULL)
        return;
    snprintf(sentence, sizeof sentence, "%s %s", what, address_text(name_of(address), address->length, text));
    options->progress(options->context, sentence);
}

/* ---- failures ------------------------------------------------------------------------------- */

/* "No route for IPv6" says less about a host than what its other addresses answered. */
static bool is_local_trouble(int error)
{
    return error == ENETUNREACH || error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static int describe_failure(const char *call, const struct address *address, int error)
{
    char text[ADDRESS_TEXT];

    return fail_call(call, address_text(name_of(address), address->length, text), error);
}

/* `more`: others are still tried. The last failure is what race() itself tells. */
static void record(struct race *race, const char *call, const struct address *address, int error, bool more)
{
    const struct dial_options *options = race->course->options;

    if (race->call == NULL || is_local_trouble(race->error) || !is_local_trouble(error)) {
        race->call = call;
        race->failed = address;
        race->error = error;
    }
    if (options->progress != NULL && more) {
        describe_failure(call, address, error);
        options->progress(options->context, parley_error());
    }
}

static int fail_all(const struct race *race)
{
    size_t count = race->addresses->count;
    int status = describe_failure(race->call, race->failed, race->error);

    if (count > 1)
        return fail(status, "%s; tried %zu addresses of %s", parley_error(), count, race->course->target);
    return status;
}

static int fail_waiting(const struct race *race, enum waited why)
{
    const struct address *only = race->addresses->items;
    const char *target = race->course->target;
    char text[ADDRESS_TEXT];

    if (race->addresses->count == 1)
        target = address_text(name_of(only), only->length, text);
    return fail_impatient(race->course->patience, why, "connect", target);
}

/* ---- one attempt ---------------------------------------------------------------------------- */

/* The address to bind to before dialling into `family`; the first one if there is none of that family. */
static const struct address *local_for(const struct address_list *local, int family)
{
    for (size_t i = 0; i < local->count; i++)
        if (local->items[i].storage.ss_family == family)
            return &local->items[i];
    return local->items;
}

static int bind_local(int fd, const struct address *local)
{
    int yes = 1;

    if (address_port(name_of(local)) == 0) {
        /* connect(2) then chooses a port that is free towards this peer, not towards all. */
        sys.setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    } else if (sys.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) {
        return -1;
    }
    return sys.bind(fd, name_of(local), local->length);
}

/* Sets `fd` off towards `*address`. NULL, or the call that failed, and in `*address` what it was about. */
static const char *begin(const struct race *race, int fd, const struct address **address)
{
    const struct course *course = race->course;
    const struct sockaddr *peer = name_of(*address);
    const struct address *local = local_for(course->local, peer->sa_family);

    if (course->options->is_ours != NULL && course->options->is_ours(course->options->context, *address)) {
        errno = EDEADLK;
        return "connect";
    }
    if (socket_tune(fd, peer->sa_family, course->options->socket) != 0)
        return "setsockopt";
    if (local != NULL && bind_local(fd, local) != 0) {
        *address = local;
        return "bind";
    }
    /* After EINTR the connect goes on by itself; repeating it would only say EALREADY. */
    if (sys.connect(fd, peer, (*address)->length) != 0 && errno != EINPROGRESS && errno != EINTR)
        return "connect";
    return NULL;
}

/* Neither says anything about the address: it is tried again a little later. */
static bool postpone(struct race *race, const struct address *address, int error)
{
    if (error == EAGAIN && address->storage.ss_family == AF_UNIX) {
        race->next_start = sys.now() + race->full_delay;
        race->full_delay = race->full_delay * 2 < FULL_DELAY_MAX ? race->full_delay * 2 : FULL_DELAY_MAX;
        return true;
    }
    if ((error == EMFILE || error == ENFILE) && race->flying > 0) {
        race->next_start = sys.now() + ATTEMPT_DELAY;
        return true;
    }
    return false;
}

static void announce(struct race *race, const struct address *address)
{
    if (race->announced == race->next) {
        say(race, "trying", address);
        race->announced++;
    }
}

static void start_next(struct race *race)
{
    const struct address *address = &race->addresses->items[race->next];
    const char *call = "socket";
    int fd = sys.socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    announce(race, address);
    if (fd >= 0)
        call = begin(race, fd, &address);
    error = errno;
    if (call == NULL) {
        race->tries[race->flying++] = race->next++;
        race->fds[race->flying] = (struct pollfd){.fd = fd, .events = POLLOUT};
        race->next_start = sys.now() + ATTEMPT_DELAY;
        return;
    }
    if (fd >= 0)
        sys.close(fd);
    if (!postpone(race, address, error)) {
        race->next++;
        record(race, call, address, error, race->next < race->addresses->count || race->flying > 0);
    }
}

/* 0 when connected, else why not. */
static int outcome(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof peer;
    int error = 0;
    socklen_t size = sizeof error;

    if (sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    if (error != 0)
        return error;
    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0)
        return errno == ENOTCONN ? ECONNRESET : errno;
    return socket_met_itself(fd, (struct sockaddr *)&peer, length) ? ECONNREFUSED : 0;
}

/* ---- the race ------------------------------------------------------------------------------- */

/* Takes the results that are there: a connected attempt, or NULL. */
static struct pollfd *collect(struct race *race)
{
    size_t i = 0;

    while (i < race->flying) {
        struct pollfd *attempt = &race->fds[1 + i];
        int error = 0;

        if (attempt->revents == 0) {
            i++;
            continue;
        }
        error = outcome(attempt->fd);
        if (error == 0)
            return attempt;
        sys.close(attempt->fd);
        race->flying--;
        record(race, "connect", &race->addresses->items[race->tries[i]], error,
               race->next < race->addresses->count || race->flying > 0);
        /* The last one takes the free place. */
        *attempt = race->fds[1 + race->flying];
        race->tries[i] = race->tries[race->flying];
        race->next_start = sys.now();
    }
    return NULL;
}

static int finish(struct race *race, struct pollfd *winner, struct address *reached)
{
    const struct address *address = &race->addresses->items[race->tries[winner - race->fds - 1]];
    int fd = winner->fd;

    if (socket_set_blocking(fd, true) != 0)
        return describe_failure("fcntl", address, errno);
    winner->fd = -1;
    *reached = *address;
    say(race, "connected to", address);
    return fd;
}

static int run(struct race *race, struct address *reached)
{
    size_t count = race->addresses->count;

    for (;;) {
        bool waiting = race->next < count;
        enum waited waited;
        struct pollfd *winner;

        if (waiting && sys.now() >= race->next_start) {
            start_next(race);
            continue;
        }
        if (!waiting && race->flying == 0)
            return fail_all(race);
        waited = patience_wait(race->course->patience, race->fds, 1 + race->flying,
                               waiting ? race->next_start : INT64_MAX);
        if (waited != WAITED_READY && waited != WAITED_ELAPSED)
            return fail_waiting(race, waited);
        winner = waited == WAITED_READY ? collect(race) : NULL;
        if (winner != NULL)
            return finish(race, winner, reached);
    }
}

int race(const struct course *course, const struct address_list *addresses, struct address *reached)
{
    struct race state = {.course = course, .addresses = addresses, .full_delay = FULL_DELAY_FIRST};
    int result;

    state.failed = addresses->items;
    state.fds = sys.calloc(1 + addresses->count, sizeof *state.fds);
    state.tries = sys.calloc(addresses->count, sizeof *state.tries);
    state.next_start = sys.now();
    if (state.fds != NULL && state.tries != NULL)
        result = run(&state, reached);
    else
        result = fail_call("connect", course->target, ENOMEM);
    for (size_t i = 1; i <= state.flying; i++)
        if (state.fds[i].fd >= 0)
            sys.close(state.fds[i].fd);
    sys.free(state.fds);
    sys.free(state.tries);
    return result;
}
