/* The life of a conversation's connection, and what is due in it. */
#include "command/conversation.h"

#include <string.h>
#include <time.h>

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- what is due ---- */

/* A connection has one timer: it is set to the earliest. */
static void set_timer(struct conversation *conversation)
{
    int64_t earliest = 0;
    for (size_t i = 0; i < DUES; i++) {
        int64_t due = conversation->due[i];
        if (due != 0 && (earliest == 0 || due < earliest))
            earliest = due;
    }
    if (conversation->conn != NULL && earliest != 0) {
        int64_t delay = earliest - now();
        parley_set_timer(conversation->conn, delay > 0 ? delay : 0);
    }
}

void conversation_schedule(struct conversation *conversation, enum due what, int64_t delay)
{
    /* A message is due a whole period after the last one was, so that lateness does not add up. */
    int64_t *due = &conversation->due[what];
    int64_t base = now();
    if (what == DUE_MESSAGE && *due != 0 && *due + delay > base)
        base = *due;
    *due = base + delay;
    set_timer(conversation);
}

static void is_due(struct conversation *conversation, enum due what)
{
    if (what == DUE_MESSAGE) {
        recite_next(conversation);
        return;
    }
    conversation->due[what] = 0;
    if (what == DUE_END) {
        parley_half_close(conversation->conn);
        return;
    }
    if (what == DUE_UNTIL)
        conversation->hearing.until.seen = true;
    conversation_leave(conversation);
}

static void timed(parley_conn *conn)
{
    struct conversation *conversation = parley_user(conn);
    for (size_t i = 0; i < DUES && conversation->conn != NULL; i++)
        if (conversation->due[i] != 0 && conversation->due[i] <= now())
            is_due(conversation, (enum due)i);
    set_timer(conversation);
}

/* ---- one connection's life ---- */

void conversation_leave(struct conversation *conversation)
{
    if (conversation->leaving || conversation->conn == NULL)
        return;
    conversation->leaving = true;
    speech_stop(conversation);
    parley_finish(conversation->conn);
}

void conversation_fail(struct conversation *conversation, int exit_code)
{
    if (conversation->exit_code == 0)
        conversation->exit_code = exit_code;
    conversation->leaving = true;
    conversation->keeps = false;
    if (conversation->conn != NULL)
        parley_abort(conversation->conn);
    else
        parley_stop(conversation->server);
}

static void opened(parley_conn *conn)
{
    struct conversation *conversation = parley_user(conn);
    if (conversation->conn != NULL || (conversation->met && !conversation->keeps)) {
        parley_abort(conn);
        return;
    }
    conversation->conn = conn;
    conversation->met = true;
    conversation->leaving = false;
    conversation->peer_ended = false;
    conversation->said_after_end = false;
    memset(conversation->due, 0, sizeof conversation->due);
    if (conversation->listens && !conversation->is_quiet)
        fprintf(stderr, "%s connected%s%s\n", parley_peer(conn), *parley_via(conn) ? " via " : "",
                parley_via(conn));
    speech_start(conversation);
}

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    struct conversation *conversation = parley_user(conn);
    if (conversation->conn == conn && !conversation->leaving)
        hearing_take(conversation, bytes, size);
}

static void drained(parley_conn *conn)
{
    struct conversation *conversation = parley_user(conn);
    if (conversation->conn == conn)
        speech_continue(conversation);
}

/* The peer has said everything. What a pipe or file still has for it is sent: it may have closed one way
 * only. */
static void ended(parley_conn *conn)
{
    struct conversation *conversation = parley_user(conn);
    struct speech *speech = &conversation->speech;
    if (conversation->conn != conn)
        return;
    conversation->peer_ended = true;
    if (hearing_settle(conversation) != 0)
        return;
    if (speech->text == NULL && speech->terminal == NULL && !speech->ended && !conversation->leaving)
        conversation_schedule(conversation, DUE_GRACE, 200);
    else
        conversation_leave(conversation);
}

/* Says which time passed: the phase, who, and how long it was. */
static int timed_out(const struct conversation *conversation, parley_conn *conn, parley_reason reason)
{
    const char *option = reason == PARLEY_IDLE       ? "idle"
                         : reason == PARLEY_LIFETIME ? "life"
                                                     : "write-timeout";
    const char *phase = reason == PARLEY_STALLED ? "send" : option;
    const char *meaning = reason == PARLEY_IDLE      ? " without a byte either way"
                          : reason == PARLEY_STALLED ? ", the peer takes nothing"
                                                     : "";
    const char *time = arguments_value(conversation->arguments, option);
    complain(conversation->arguments->subcommand, "%s %s: timed out after %s%s", phase, parley_peer(conn),
             time != NULL ? time : "60s", meaning);
    return EXIT_TIMEOUT;
}

static int failed(const struct conversation *conversation, parley_conn *conn, parley_reason reason)
{
    const char *failure = parley_failure(conn);
    if (*failure == '\0') {
        complain(conversation->arguments->subcommand, "%s: %s", parley_peer(conn),
                 parley_reason_text(reason));
    } else {
        complain(conversation->arguments->subcommand, "%s", failure);
    }
    return EXIT_NETWORK;
}

/* The exit code for how the connection ended, after the sentence about it. */
static int judge(const struct conversation *conversation, parley_conn *conn, parley_reason reason)
{
    switch (reason) {
    case PARLEY_FINISHED:
    case PARLEY_ABORTED:
    case PARLEY_DRAINED:
    case PARLEY_CUT: return 0;
    case PARLEY_IDLE:
    case PARLEY_LIFETIME:
    case PARLEY_STALLED: return timed_out(conversation, conn, reason);
    case PARLEY_TLS_TRUNCATED: failed(conversation, conn, reason); return EXIT_CHECK; /* not what was sent */
    case PARLEY_RESET:
        /* Everything had come, and nothing was said that could be lost. */
        if (conversation->leaving && !conversation->said_after_end)
            return 0;
        break;
    default: break;
    }
    return failed(conversation, conn, reason);
}

static int check_until(const struct conversation *conversation)
{
    const struct until *until = &conversation->hearing.until;
    if (until->text == NULL || until->seen || conversation->interrupted != 0)
        return 0;
    complain(conversation->arguments->subcommand, "the answer \"%s\" never came", until->text);
    return EXIT_CHECK;
}

static void take_leave(struct conversation *conversation, parley_conn *conn, parley_reason reason)
{
    conversation->conn = NULL;
    hearing_end(conversation);
    speech_stop(conversation);
    int code = judge(conversation, conn, reason);
    if (code == 0 && conversation->exit_code == 0)
        code = check_until(conversation);
    if (conversation->listens && !conversation->is_quiet)
        fprintf(stderr, "%s left: %s\n", parley_peer(conn), parley_reason_text(reason));
    if (conversation->exit_code == 0 && !conversation->keeps)
        conversation->exit_code = code;
}

static void closed(parley_conn *conn, parley_reason reason)
{
    struct conversation *conversation = parley_user(conn);
    /* One that was never established is the affair of parley_run(). */
    if (conversation->conn != conn)
        return;
    take_leave(conversation, conn, reason);
    /* Without listeners the server has nothing left to do anyway. */
    if (conversation->listens && !conversation->keeps)
        parley_stop(conversation->server);
}

const parley_handler conversation_handler =
    PARLEY_HANDLER(.name = "conversation", .opened = opened, .received = received, .drained = drained,
                   .ended = ended, .timed = timed, .closed = closed);
