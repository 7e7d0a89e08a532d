#include "exec/servant.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "engine/worker.h"
#include "exec/environment.h"
#include "exec/places.h"
#include "exec/pty.h"
#include "exec/report.h"
#include "exec/spawn.h"

/* ms: between looks at a group whose leader has ended; the longest grace once the server stops */
enum { LOOK_AGAIN = 100, LAST_GRACE = 1000 };

static struct loop *loop_of(const struct servant *servant)
{
    return servant->chore.loop;
}

/* ---- what it says ---- */

static void close_errors(struct servant *servant)
{
    if (servant->errors.fd < 0)
        return;
    words_end(&servant->words, &loop_of(servant)->log, servant->peer, servant->pid);
    loop_unwatch(loop_of(servant), &servant->errors);
    close(servant->errors.fd);
    servant->errors.fd = -1;
}

static void read_errors(struct servant *servant, size_t most)
{
    if (servant->errors.fd >= 0 && !words_read(&servant->words, servant->errors.fd, most,
                                               &loop_of(servant)->log, servant->peer, servant->pid))
        close_errors(servant);
}

static void errors_came(struct loop *loop, struct watch *watch)
{
    (void)loop;
    read_errors(watch->context, WORDS_PIECE);
}

/* ---- its end ---- */

/* What it said last comes before the line of its end. */
static void reap(struct servant *servant)
{
    struct rusage usage = {.ru_maxrss = 0};
    int status = 0;

    while (wait4(servant->pid, &status, 0, &usage) < 0 && errno == EINTR)
        continue;
    servant->is_reaped = true;
    read_errors(servant, WORDS_ALL);
    report_exit(&loop_of(servant)->log, servant->peer, servant->pid, status, &usage,
                sys.now() - servant->started_at);
    place_hold(servant->program, servant->place, 0);
    if (servant->client)
        parley_finish(servant->client);
}

/* Told to end, the others of its group have their grace too. */
static bool has_group(const struct servant *servant)
{
    return servant->stage == SERVANT_TOLD && (kill(-servant->pid, 0) == 0 || errno == EPERM);
}

/* In the next turn: a report of this one may still name its watches. */
static void forget(struct chore *chore)
{
    chore_end(chore);
    free(chore);
}

/* The number of a group is nobody else's as long as its leader is not reaped: one whose output is still open
 * may have to be killed with its group. */
static void look(struct servant *servant)
{
    if (servant->has_exited && !servant->is_reaped && (servant->is_heard || servant->stage != SERVANT_RUNS))
        reap(servant);
    if (!servant->is_reaped || servant->client || servant->guest || servant->chore.due == forget)
        return;
    if (has_group(servant)) {
        chore_in(&servant->chore, LOOK_AGAIN);
        return;
    }
    close_errors(servant);
    servant->chore.due = forget;
    chore_in(&servant->chore, 0);
}

static void exited(struct loop *loop, struct watch *watch)
{
    struct servant *servant = watch->context;

    loop_unwatch(loop, watch);
    close(servant->pidfd);
    servant->has_exited = true;
    look(servant);
}

/* ---- ending it ---- */

static void signal_group(const struct servant *servant, int signal)
{
    kill(-servant->pid, signal);
}

static int64_t grace_of(const struct servant *servant)
{
    const int64_t grace = servant->program->grace;

    return loop_of(servant)->draining && grace > LAST_GRACE ? LAST_GRACE : grace;
}

/* One that was stopped takes no SIGTERM. */
static void tell(struct servant *servant)
{
    servant->stage = SERVANT_TOLD;
    servant->kill_at = loop_of(servant)->now + grace_of(servant);
    signal_group(servant, SIGTERM);
    signal_group(servant, SIGCONT);
    chore_in(&servant->chore, grace_of(servant));
}

static void put_to_death(struct servant *servant)
{
    servant->stage = SERVANT_KILLED;
    signal_group(servant, SIGKILL);
}

/* One that has gained privileges (--new-privileges) may be out of our reach, even for SIGKILL: the stop does
 * not wait for it. */
static void leave_to_itself(struct servant *servant)
{
    const bool is_here = servant->stage == SERVANT_KILLED && !servant->has_exited;

    if (!is_here || !loop_of(servant)->draining || kill(-servant->pid, 0) == 0 || errno != EPERM)
        return;
    log_line(&loop_of(servant)->log, LOG_FAULT, servant->peer,
             "process %d has gained privileges and cannot be ended: it is left to itself", (int)servant->pid);
    loop_unwatch(loop_of(servant), &servant->exit);
    close(servant->pidfd);
    servant->has_exited = servant->is_reaped = true;
    place_hold(servant->program, servant->place, 0);
    if (servant->client)
        parley_abort(servant->client);
    if (servant->guest)
        parley_abort(servant->guest);
}

/* The grace is over, or a look is due, or the drain deadline has come. */
static void hurry(struct chore *chore)
{
    struct servant *servant = (struct servant *)chore;
    const struct loop *loop = chore->loop;
    const bool is_late = loop->now >= servant->kill_at || atomic_load(&loop->worker->stop) == WORKER_ABORT;

    if (servant->stage == SERVANT_RUNS)
        tell(servant);
    else if (servant->stage == SERVANT_TOLD && is_late)
        put_to_death(servant);
    leave_to_itself(servant);
    look(servant);
}

void servant_client_gone(struct servant *servant, bool in_order)
{
    servant->client = NULL;
    if (!in_order && servant->stage == SERVANT_RUNS && !servant->is_reaped)
        tell(servant);
    look(servant);
}

/* ---- its output ---- */

static void heard(parley_conn *guest)
{
    struct servant *servant = parley_user(guest);

    servant->is_heard = true;
    look(servant);
}

static void guest_closed(parley_conn *guest, parley_reason reason)
{
    struct servant *servant = parley_user(guest);

    (void)reason;
    servant->guest = NULL;
    heard(guest);
}

static const parley_handler guest_handler =
    PARLEY_HANDLER(.name = "program", .ended = heard, .closed = guest_closed);

/* ---- its beginning ---- */

struct ends {
    int ours, its;
};

static int make_stream(struct servant *servant, struct ends *ends)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return fail_call("socketpair", NULL, errno);
    *ends = (struct ends){pair[0], pair[1]};
    servant->guest = parley_adopt(servant->client, ends->ours, &guest_handler, servant);
    if (servant->guest)
        return 0;
    close(ends->its);
    return PARLEY_RESOURCE;
}

static int make_errors(struct servant *servant, struct ends *ends)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return fail_call("pipe2", NULL, errno);
    *ends = (struct ends){pair[0], pair[1]};
    fcntl(ends->ours, F_SETFL, O_NONBLOCK);
    servant->errors = (struct watch){.fd = ends->ours, .readable = errors_came, .context = servant};
    if (loop_watch(loop_of(servant), &servant->errors) == 0)
        return 0;
    close_errors(servant);
    close(ends->its);
    ends->its = -1;
    return PARLEY_RESOURCE;
}

/* No pidfd, no child: how it ends would never be known. */
static int watch_exit(struct servant *servant)
{
    servant->pidfd = pidfd_open(servant->pid, 0);
    if (servant->pidfd < 0)
        return fail_call("pidfd_open", NULL, errno);
    servant->exit = (struct watch){.fd = servant->pidfd, .readable = exited, .context = servant};
    if (loop_watch(loop_of(servant), &servant->exit) == 0)
        return 0;
    loop_unwatch(loop_of(servant), &servant->exit);
    close(servant->pidfd);
    return PARLEY_RESOURCE;
}

static int run(struct servant *servant, int stream, int errors)
{
    struct environment environment;
    struct spawn how = {.program = servant->program, .stream = stream, .errors = errors};

    environment_make(&environment, servant->program, servant->client);
    how.environment = environment.items;
    servant->pid = environment.items ? spawn(&how) : -1;
    if (servant->pid < 0)
        fail_call(environment.items ? how.failed : "malloc", servant->program->path, errno);
    environment_free(&environment);
    if (servant->pid < 0)
        return PARLEY_RESOURCE;
    if (watch_exit(servant) == 0)
        return 0;
    put_to_death(servant);
    reap(servant);
    return PARLEY_RESOURCE;
}

static int bridge(struct servant *servant)
{
    const int status = parley_bridge(servant->client, servant->guest);

    if (status == 0)
        return 0;
    loop_unwatch(loop_of(servant), &servant->exit);
    close(servant->pidfd);
    put_to_death(servant);
    reap(servant);
    return status;
}

static int start(struct servant *servant)
{
    struct ends stream = {-1, -1}, errors = {-1, -1};
    int status = make_stream(servant, &stream);

    if (status < 0)
        return status;
    if (servant->program->has_terminal)
        status = pty_take_place(&stream.its);
    else if (!servant->program->errors_to_client)
        status = make_errors(servant, &errors);
    if (status == 0)
        status = run(servant, stream.its, errors.its >= 0 ? errors.its : stream.its);
    close(stream.its);
    if (errors.its >= 0)
        close(errors.its);
    return status ? status : bridge(servant);
}

/* Its guest, if it has one, hears of it no more once it is aborted; then it is forgotten. */
static void give_up(struct servant *servant)
{
    log_line(&loop_of(servant)->log, LOG_FAULT, servant->peer, "cannot run %s: %s",
             servant->program->words[0], parley_error());
    place_hold(servant->program, servant->place, 0);
    servant->is_reaped = true;
    servant->client = NULL;
    if (servant->guest)
        parley_abort(servant->guest);
    look(servant);
}

struct servant *servant_start(parley_conn *client, const struct program *program, unsigned place)
{
    struct loop *loop = client->loop;
    struct servant *servant = calloc(1, sizeof *servant);

    if (!servant || chore_begin(loop, &servant->chore, hurry) < 0) {
        log_line(&loop->log, LOG_FAULT, parley_peer(client), "no memory for a child");
        place_hold(program, place, 0);
        free(servant);
        return NULL;
    }
    servant->program = program;
    servant->client = client;
    servant->place = place;
    servant->errors.fd = -1;
    servant->started_at = sys.now();
    snprintf(servant->peer, sizeof servant->peer, "%s", parley_peer(client));
    if (start(servant) < 0) {
        give_up(servant);
        return NULL;
    }
    place_hold(program, place, servant->pid);
    log_line(&loop->log, LOG_DETAIL, servant->peer, "process %d runs %s", (int)servant->pid, program->path);
    return servant;
}
