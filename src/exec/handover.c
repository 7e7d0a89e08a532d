#include "exec/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "exec/environment.h"
#include "exec/places.h"
#include "exec/report.h"
#include "exec/spawn.h"
#include "exec/words.h"

/* States behind the peer's end: <netinet/tcp.h> has them, and an older struct tcp_info. */
enum { CLOSE_WAIT = 8, LAST_ACK = 9, CLOSING = 11 };
/* ms: between looks for a place; the longest grace once the server stops */
enum { LOOK_AGAIN = 50, LAST_GRACE = 1000, NEVER = 0 };

/* What the worker waits for, and when it loses its patience. */
struct watcher {
    parley_conn *client;
    const struct program *program;
    struct log *log;
    const char *peer;
    pid_t pid;
    int pidfd;
    struct pollfd exit, errors, socket;
    struct words words;
    unsigned place;
    int64_t started_at;
    int64_t end_at;  /* the life time is over, or the drain deadline; NEVER: none */
    int64_t kill_at; /* SIGTERM was sent, and SIGKILL follows; NEVER: not yet */
    bool has_exited, was_killed, has_failed;
    bool is_left; /* it is out of our reach, and not waited for */
};

static int stop_of(const struct watcher *watcher)
{
    return atomic_load(&watcher->client->loop->worker->stop);
}

static const struct options *options_of(const struct watcher *watcher)
{
    return &watcher->client->loop->server->options;
}

/* ---- waiting ---- */

static int64_t grace_of(const struct watcher *watcher)
{
    const int64_t grace = watcher->program->grace;

    return stop_of(watcher) && grace > LAST_GRACE ? LAST_GRACE : grace;
}

static void tell(struct watcher *watcher, int64_t now)
{
    if (watcher->kill_at != NEVER)
        return;
    kill(-watcher->pid, SIGTERM);
    kill(-watcher->pid, SIGCONT);
    watcher->kill_at = now + grace_of(watcher);
    watcher->socket.fd = -1; /* it says the same over and over */
}

/* A stop gives it the drain time, as any connection. */
static void heed_stop(struct watcher *watcher, int64_t now)
{
    const int64_t drain = options_of(watcher)->drain;

    if (stop_of(watcher) && (watcher->end_at == NEVER || watcher->end_at > now + drain))
        watcher->end_at = now + drain;
}

static void heed_time(struct watcher *watcher)
{
    const int64_t now = sys.now();

    heed_stop(watcher, now);
    if (watcher->end_at != NEVER && now >= watcher->end_at)
        tell(watcher, now);
    if ((watcher->kill_at == NEVER || now < watcher->kill_at) && stop_of(watcher) != WORKER_ABORT)
        return;
    watcher->is_left = kill(-watcher->pid, SIGKILL) < 0 && errno == EPERM && stop_of(watcher);
    watcher->was_killed = true;
    watcher->has_exited |= watcher->is_left;
}

/* At least now and then, since the supervisor's interrupts may come just before the sleep. */
static int patience(const struct watcher *watcher)
{
    const int64_t until = watcher->kill_at != NEVER ? watcher->kill_at : watcher->end_at;
    const int64_t left = until - sys.now();

    if (until == NEVER)
        return -1;
    return left < 0 ? LOOK_AGAIN : left >= INT32_MAX ? INT32_MAX : (int)left + 1;
}

/* A program takes its time: its worker is as well as one that waits for its client. */
static int rest(struct loop *loop, struct pollfd *fds, nfds_t count, int time)
{
    int found;

    loop_rests(loop);
    found = sys.poll(fds, count, time);
    loop->now = sys.now();
    loop_works(loop);
    return found;
}

static void read_errors(struct watcher *watcher)
{
    if (watcher->errors.fd < 0 ||
        words_read(&watcher->words, watcher->errors.fd, WORDS_ALL, watcher->log, watcher->peer, watcher->pid))
        return;
    close(watcher->errors.fd);
    watcher->errors.fd = -1;
}

/* Whoever has its descriptor 2 still may have the socket too, and something to say on both. */
static bool is_over(const struct watcher *watcher)
{
    return watcher->has_exited && (watcher->errors.fd < 0 || watcher->was_killed);
}

static void look(struct watcher *watcher, const struct pollfd *exit, const struct pollfd *errors,
                 const struct pollfd *socket)
{
    if (exit->revents) {
        watcher->has_exited = true;
        watcher->exit.fd = -1; /* poll passes over it from now on */
    }
    if (errors->revents)
        read_errors(watcher);
    watcher->has_failed |= (socket->revents & POLLERR) != 0;
    if (socket->revents)
        tell(watcher, sys.now());
}

static void wait_for_end(struct watcher *watcher)
{
    while (!is_over(watcher)) {
        struct pollfd fds[] = {watcher->exit, watcher->errors, watcher->socket};

        if (rest(watcher->client->loop, fds, 3, patience(watcher)) > 0)
            look(watcher, &fds[0], &fds[1], &fds[2]);
        heed_time(watcher);
    }
}

/* ---- the end ---- */

/* The kernel counts the peer's end as a byte. */
static bool has_ended(const struct tcp_info *info)
{
    return info->tcpi_state == CLOSE_WAIT || info->tcpi_state == LAST_ACK || info->tcpi_state == CLOSING;
}

/* What the program did with the socket, for the log, and so that the end is said as after bytes of our own.
 */
static void count_bytes(parley_conn *client)
{
    struct tcp_info info;
    socklen_t size = sizeof info;

    memset(&info, 0, sizeof info);
    if (client->is_unix || getsockopt(client->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return;
    client->received = info.tcpi_bytes_received - has_ended(&info);
    client->sent = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
}

/* Whether the socket broke down. The kernel says it once: to the program, or to who is left of its group. */
static void find_failure(const struct watcher *watcher)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (!watcher->client->eof)
        getsockopt(watcher->client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error || watcher->has_failed)
        conn_failed(watcher->client, "recv", error ? error : ECONNRESET);
}

static void reap(struct watcher *watcher)
{
    struct rusage usage = {.ru_maxrss = 0};
    int status = 0;

    if (watcher->is_left) {
        log_line(watcher->log, LOG_FAULT, watcher->peer,
                 "process %d has gained privileges and cannot be ended: it is left to itself",
                 (int)watcher->pid);
        return;
    }
    while (wait4(watcher->pid, &status, 0, &usage) < 0 && errno == EINTR)
        continue;
    read_errors(watcher);
    words_end(&watcher->words, watcher->log, watcher->peer, watcher->pid);
    report_exit(watcher->log, watcher->peer, watcher->pid, status, &usage, sys.now() - watcher->started_at);
}

/* Who is left of its group may have the socket still: it is then closed here as after its end, and our own is
 * theirs to say. */
static void finish(struct watcher *watcher)
{
    if (watcher->kill_at != NEVER)
        kill(-watcher->pid, SIGKILL);
    reap(watcher);
    place_hold(watcher->program, watcher->place, 0);
    count_bytes(watcher->client);
    watcher->client->eof = kill(-watcher->pid, 0) == 0;
    find_failure(watcher);
}

/* ---- the beginning ---- */

static int run(struct watcher *watcher, int errors)
{
    struct environment environment;
    struct spawn how = {.program = watcher->program, .stream = watcher->client->fd, .errors = errors};

    environment_make(&environment, watcher->program, watcher->client);
    how.environment = environment.items;
    watcher->pid = environment.items ? spawn(&how) : -1;
    if (watcher->pid < 0)
        fail_call(environment.items ? how.failed : "malloc", watcher->program->path, errno);
    environment_free(&environment);
    if (watcher->pid < 0)
        return PARLEY_RESOURCE;
    watcher->exit.fd = watcher->pidfd = pidfd_open(watcher->pid, 0);
    if (watcher->pidfd >= 0)
        return 0;
    watcher->kill_at = sys.now();
    finish(watcher);
    return fail_call("pidfd_open", NULL, errno);
}

static int start(struct watcher *watcher)
{
    int pair[2] = {-1, -1}, status;

    if (!watcher->program->errors_to_client && pipe2(pair, O_CLOEXEC) < 0)
        return fail_call("pipe2", NULL, errno);
    watcher->errors.fd = pair[0];
    if (pair[0] >= 0)
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
    status = run(watcher, pair[1] >= 0 ? pair[1] : watcher->client->fd);
    if (pair[1] >= 0)
        close(pair[1]);
    return status;
}

/* False: the client left, or the server stops, before there was a place. */
static bool wait_for_place(struct watcher *watcher)
{
    struct pollfd socket = {.fd = watcher->client->fd};

    while (!place_take(watcher->program, watcher->peer, &watcher->place))
        if (rest(watcher->client->loop, &socket, 1, LOOK_AGAIN) > 0 || stop_of(watcher))
            return false;
    return true;
}

void handover(parley_conn *client, const struct program *program)
{
    const char *peer = parley_peer(client);
    struct watcher watcher = {.client = client,
                              .program = program,
                              .log = &client->loop->log,
                              .peer = peer,
                              .exit = {.fd = -1, .events = POLLIN},
                              .errors = {.fd = -1, .events = POLLIN},
                              .socket = {.fd = client->fd},
                              .started_at = sys.now()};

    if (!wait_for_place(&watcher))
        return;
    if (options_of(&watcher)->life > 0)
        watcher.end_at = watcher.started_at + options_of(&watcher)->life;
    if (start(&watcher) < 0) {
        log_line(watcher.log, LOG_FAULT, peer, "cannot run %s: %s", program->words[0], parley_error());
        place_hold(program, watcher.place, 0);
    } else {
        place_hold(program, watcher.place, watcher.pid);
        log_line(watcher.log, LOG_DETAIL, peer, "process %d runs %s", (int)watcher.pid, program->path);
        wait_for_end(&watcher);
        finish(&watcher);
        close(watcher.pidfd);
    }
    if (watcher.errors.fd >= 0)
        close(watcher.errors.fd);
    client->loop->now = sys.now();
}
