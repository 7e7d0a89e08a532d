#include "engine/secure.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/sys.h"
#include "engine/cover.h"
#include "engine/loop.h"
#include "engine/server.h"
#include "tls/tls.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- the server's ---- */

static bool speaks_tls(const struct tls_policy *policy)
{
    return policy->serving != TLS_OFF || policy->dials;
}

int secure_check(const struct parley_server *server)
{
    const struct tls_policy *policy = &server->options.tls;
    struct tls *trial = NULL;
    int status = tls_policy_check(policy);
    if (status < 0 || !speaks_tls(policy))
        return status;
    struct tls_keep *keep = tls_keep_new();
    status = keep ? tls_open(&trial, policy, keep) : PARLEY_RESOURCE;
    tls_close(trial);
    tls_keep_free(keep);
    return status;
}

struct tls_reading {
    struct reading reading;
    struct tls *tls;
};

static void free_reading(struct reading *reading)
{
    struct tls_reading *loaded = (struct tls_reading *)reading;
    tls_close(loaded->tls);
    sys.free(loaded);
}

/* OpenSSL has locks of its own: no process is forked while one may be held. */
static int read_files(struct parley_server *server, struct reloadable *reloadable, struct reading **reading)
{
    (void)reloadable;
    bool forks = server->options.model.placement->processes;
    struct tls_reading *loaded = sys.calloc(1, sizeof *loaded);
    if (!loaded)
        return fail(PARLEY_RESOURCE, "no memory for TLS");
    loaded->reading.free = free_reading;
    if (forks)
        pthread_mutex_lock(&server->lock);
    int status = tls_open(&loaded->tls, &server->options.tls, server->tls_keep);
    if (forks)
        pthread_mutex_unlock(&server->lock);
    if (status == 0)
        *reading = &loaded->reading;
    else
        sys.free(loaded);
    return status;
}

int secure_open(struct parley_server *server)
{
    if (!speaks_tls(&server->options.tls))
        return 0;
    server->tls_keep = tls_keep_new();
    if (!server->tls_keep)
        return PARLEY_RESOURCE;
    server->tls.what = "the certificates";
    server->tls.read = read_files;
    reload_add(server, &server->tls);
    return reload_read(server, &server->tls);
}

void secure_close(struct parley_server *server)
{
    tls_keep_free(server->tls_keep);
    server->tls_keep = NULL;
}

const char *secure_story(const struct parley_server *server)
{
    const struct tls_reading *loaded = (const struct tls_reading *)server->tls.latest;
    return loaded ? tls_story(loaded->tls) : "";
}

/* ---- the handshake ---- */

static struct tls_session *session_of(const parley_conn *conn)
{
    return conn_cover(conn)->tls;
}

bool secure_is_wanted(const parley_conn *conn)
{
    const struct tls_policy *policy = &conn->loop->server->options.tls;
    return conn->dialled ? policy->dials : policy->serving != TLS_OFF;
}

static int put(void *conn, const void *bytes, size_t size)
{
    return conn_put(conn, bytes, size);
}

static const struct {
    const char *what, *before;
    bool is_quoted; /* the peer's own words, which could read as a fact of ours */
} facts[] = {
    {"protocol", "", false},           {"cipher", ", ", false},    {"server-name", ", asked for ", true},
    {"alpn", ", speaking ", true},     {"peer-cn", ", is ", true}, {"verified", ", verified ", false},
    {"resumed", ", resumed: ", false},
};

/* Control bytes are escaped already. No name is so long that it hides what follows. */
static void add_fact(char *text, size_t room, const char *before, const char *fact, bool is_quoted)
{
    char quoted[280];
    size_t used = strlen(text), taken;
    const char *quote = is_quoted ? "\"" : "";
    escape_bytes(quoted, sizeof quoted, fact, strlen(fact), quote, &taken);
    snprintf(text + used, room - used, "%s%s%s%s%s", before, quote, quoted, fact[taken] ? "…" : "", quote);
}

void secure_say(const parley_conn *conn, const char *whose)
{
    struct log *log = &conn->loop->log;
    if (!log_wants(log, LOG_DETAIL))
        return;
    char text[1024] = "";
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *fact = parley_tls(conn, facts[i].what);
        if (fact && *fact)
            add_fact(text, sizeof text, facts[i].before, fact, facts[i].is_quoted);
    }
    log_line(log, LOG_DETAIL, parley_peer(conn), "%s: %s", whose, text);
}

/* False: it is not established, or already dead. */
static bool shake(parley_conn *conn)
{
    switch (tls_shake(session_of(conn))) {
    case TLS_MORE: return false;
    case TLS_DONE:
        secure_say(conn, "TLS");
        cover_secured(conn);
        return !conn->dead;
    case TLS_ENDED: fail(PARLEY_NETWORK, "TLS: it ended in the middle of the handshake"); break;
    case TLS_BROKEN: break;
    }
    cover_refuse(conn);
    return false;
}

/* Who was dialled by number has a certificate for that number. */
static const char *number_of(const parley_conn *conn, char text[INET6_ADDRSTRLEN])
{
    struct sockaddr_storage peer;
    conn_peer(conn, &peer);
    if (peer.ss_family == AF_INET)
        return inet_ntop(AF_INET, &((struct sockaddr_in *)&peer)->sin_addr, text, INET6_ADDRSTRLEN);
    if (peer.ss_family == AF_INET6)
        return inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer)->sin6_addr, text, INET6_ADDRSTRLEN);
    return NULL;
}

void secure_begin(parley_conn *conn)
{
    struct loop *loop = conn->loop;
    struct cover *cover = conn_cover(conn);
    const struct tls_reading *loaded =
        (struct tls_reading *)reload_latest(loop->server, &loop->server->tls, &loop->tls);
    char number[INET6_ADDRSTRLEN];
    const char *host = loop->dialled_host ? loop->dialled_host : number_of(conn, number);
    cover->tls = tls_session_new(loaded->tls, conn->dialled, host, put, conn);
    conn->secured = cover->tls != NULL;
    if (!conn->secured)
        cover_refuse(conn);
    else if (conn->dialled)
        shake(conn);
}

/* ---- bytes of the wire ---- */

static unsigned char *clear_buffer(struct loop *loop)
{
    if (!loop->clear)
        loop->clear = sys.malloc(loop->buffer_size);
    return loop->clear;
}

static void broke(parley_conn *conn)
{
    cover_fail(conn, PARLEY_TLS_BROKEN);
}

static void peer_ended(parley_conn *conn)
{
    conn->eof = conn->trailing = true;
    loop_touch(conn->loop, conn);
    if (!conn->finishing)
        conn_take_end(conn);
}

static void end_as(parley_conn *conn, enum tls_outcome outcome)
{
    if (conn->dead || conn_has_failed(conn))
        return;
    if (outcome == TLS_BROKEN)
        cover_end(conn);
    else if (outcome == TLS_ENDED)
        peer_ended(conn);
}

/* A connection that is finishing reads on only to let the peer end a message that keeps ours back. What came
 * before a failure is the handler's; the sentence is noted first, as it is the thread's. */
static void read_all(parley_conn *conn)
{
    struct tls_session *session = session_of(conn);
    unsigned char *clear = clear_buffer(conn->loop);
    enum tls_outcome outcome = TLS_DONE;
    size_t size;
    if (!clear) {
        conn_die(conn, PARLEY_FAILED);
        return;
    }
    while (outcome == TLS_DONE && !conn->dead && !conn_has_failed(conn)) {
        outcome = tls_read(session, clear, conn->loop->buffer_size, &size);
        if (outcome == TLS_BROKEN)
            cover_explain(conn, PARLEY_TLS_BROKEN);
        if (size > 0 && !conn->finishing)
            conn_take(conn, clear, size);
    }
    end_as(conn, outcome);
}

void secure_received(parley_conn *conn, const void *bytes, size_t size)
{
    struct tls_session *session = session_of(conn);
    if (conn->eof || (conn->finishing && tls_held(session) == 0))
        return;
    if (tls_held(session) > 0)
        loop_touch(conn->loop, conn); /* it may go out now */
    tls_lend(session, bytes, size);
    if (conn->opened || shake(conn))
        read_all(conn);
    tls_lend(session, NULL, 0);
}

void secure_truncated(parley_conn *conn)
{
    conn->reason = PARLEY_TLS_TRUNCATED;
    conn_take_cut(conn);
}

/* ---- clear bytes ---- */

/* Pieces of a message become one record where they are small. */
static int write_pieces(struct tls_session *session, const struct iovec *vectors, size_t count, size_t total)
{
    unsigned char record[4096];
    size_t used = 0;
    int status = 0;
    if (total <= sizeof record) {
        for (size_t i = 0; i < count; used += vectors[i++].iov_len)
            if (vectors[i].iov_len > 0) /* what a framing does not have is no bytes at NULL */
                memcpy(record + used, vectors[i].iov_base, vectors[i].iov_len);
        return tls_write(session, record, total);
    }
    for (size_t i = 0; i < count && status == 0; i++)
        if (vectors[i].iov_len > 0)
            status = tls_write(session, vectors[i].iov_base, vectors[i].iov_len);
    return status;
}

size_t secure_held(const parley_conn *conn)
{
    return tls_held(session_of(conn));
}

/* The peer has the time of the write deadline to go on: what it keeps back is as good as not taken. */
static void begin_to_wait(parley_conn *conn)
{
    conn_cover(conn)->held_at = conn->loop->now;
    loop_touch(conn->loop, conn);
}

int secure_write(parley_conn *conn, const struct iovec *vectors, size_t count)
{
    struct tls_session *session = session_of(conn);
    size_t total = 0, before = tls_held(session);
    for (size_t i = 0; i < count; i++)
        total += vectors[i].iov_len;
    int status = count == 1 ? tls_write(session, vectors->iov_base, total)
                            : write_pieces(session, vectors, count, total);
    if (status < 0 && status != PARLEY_STALE) /* what has ended is known to whoever found it */
        broke(conn);
    else if (before == 0 && tls_held(session) > 0)
        begin_to_wait(conn);
    return status;
}

bool secure_say_end(parley_conn *conn)
{
    struct tls_session *session = session_of(conn);
    struct cover *cover = conn_cover(conn);
    if (cover->end_at == 0)
        cover->end_at = conn->sent + queue_size(&conn->queue);
    if (tls_held(session) > 0)
        return conn->eof; /* nothing will come that lets it go */
    tls_say_end(session);
    return queue_size(&conn->queue) == 0;
}

/* What came besides is nobody's: the connection has failed. */
void secure_last_words(parley_conn *conn)
{
    struct loop *loop = conn->loop;
    unsigned char *clear = clear_buffer(loop);
    enum tls_outcome outcome = TLS_DONE;
    ssize_t came = sys.recv(conn->fd, loop->buffer, loop->buffer_size, MSG_DONTWAIT);
    if (!clear || came <= 0)
        return;
    tls_lend(session_of(conn), loop->buffer, (size_t)came);
    for (size_t size; outcome == TLS_DONE;)
        outcome = tls_read(session_of(conn), clear, loop->buffer_size, &size);
    if (outcome == TLS_BROKEN)
        cover_explain(conn, PARLEY_TLS_BROKEN);
}

void secure_free(parley_conn *conn)
{
    tls_session_free(session_of(conn));
}

/* ---- the public face ---- */

const char *parley_tls(const parley_conn *conn, const char *what)
{
    return conn->secured ? tls_fact(session_of(conn), what) : proxied_tls(conn, what);
}
