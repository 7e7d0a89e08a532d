/* TLS in the blocking stream: the session asks for bytes of the wire, and waits for them here. */
#include "base/error.h"
#include "base/sys.h"
#include "net/stream.h"
#include "tls/tls.h"
#include <stdio.h>
#include <string.h>

struct stream_tls {
    struct tls_policy policy;
    struct tls_keep *keep;
    struct tls *tls;
    struct tls_session *session;
    const struct patience *patience; /* of the call that is under way */
    int status;                      /* 0, or how it broke for good: */
    char sentence[512];
    unsigned char wire[32 << 10];
};

/* ---- failing: once, and then for good ---- */

static int broke(struct stream_tls *tls, int status)
{
    if (tls->status == 0) {
        tls->status = status;
        snprintf(tls->sentence, sizeof tls->sentence, "%s", parley_error());
    }
    return fail((parley_status)tls->status, "%s", tls->sentence);
}

/* OpenSSL's reasons name nobody. */
static int broke_inside(const parley_stream *stream)
{
    char reason[sizeof stream->tls->sentence];
    snprintf(reason, sizeof reason, "%s", parley_error());
    return broke(stream->tls, fail(PARLEY_NETWORK, "%s: %s", stream->peer, reason));
}

/* ---- the wire ---- */

static int put(void *owner, const void *bytes, size_t size)
{
    parley_stream *stream = owner;
    if (!stream->tls->patience) {
        sys.send(stream->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        return 0;
    }
    int status = stream_send(stream, stream->tls->patience, bytes, size);
    return status < 0 ? broke(stream->tls, status) : 0;
}

/* Waits for more of the wire. A time that ran out breaks nothing: the next call goes on. */
static int fetch(parley_stream *stream, const struct patience *patience, const char *when_ended)
{
    struct stream_tls *tls = stream->tls;
    ssize_t size = stream_receive(stream, patience, tls->wire, sizeof tls->wire);
    if (size == PARLEY_TIMEOUT)
        return PARLEY_TIMEOUT;
    if (size < 0)
        return broke(tls, (int)size);
    if (size == 0)
        return broke(tls, fail(PARLEY_NETWORK, "recv %s: %s", stream->peer, when_ended));
    tls_lend(tls->session, tls->wire, (size_t)size);
    return 0;
}

/* ---- bytes ---- */

static const char cut_short[] = "ended without TLS's close_notify: there may have been more";

ssize_t stream_tls_receive(parley_stream *stream, const struct patience *patience, void *bytes, size_t size)
{
    struct stream_tls *tls = stream->tls;
    tls->patience = patience;
    while (size > 0) {
        size_t got;
        if (tls->status < 0)
            return broke(tls, tls->status);
        enum tls_outcome outcome = tls_read(tls->session, bytes, size, &got);
        if (outcome == TLS_BROKEN)
            broke_inside(stream); /* told once what came before has been read */
        if (got > 0 || outcome == TLS_ENDED)
            return (ssize_t)got;
        int status = outcome == TLS_MORE ? fetch(stream, patience, cut_short) : 0;
        if (status < 0)
            return status;
    }
    return 0;
}

int stream_tls_send(parley_stream *stream, const struct patience *patience, const void *bytes, size_t size)
{
    struct stream_tls *tls = stream->tls;
    if (tls->status < 0)
        return broke(tls, tls->status);
    tls->patience = patience;
    int status = size > 0 ? tls_write(tls->session, bytes, size) : 0;
    return status < 0 && status != PARLEY_STALE ? broke_inside(stream) : status;
}

int stream_tls_say_end(parley_stream *stream, const struct patience *patience)
{
    struct stream_tls *tls = stream->tls;
    tls->patience = patience;
    tls_say_end(tls->session);
    return tls->status < 0 ? broke(tls, tls->status) : 0;
}

void stream_tls_free(struct stream_tls *tls)
{
    if (!tls)
        return;
    tls_session_free(tls->session);
    tls_close(tls->tls);
    tls_keep_free(tls->keep);
    tls_policy_free(&tls->policy);
    sys.free(tls);
}

/* ---- the handshake ---- */

static int set_options(struct tls_policy *policy, const char *const *options)
{
    int status = tls_policy_set(policy, "dial-tls", "on");
    for (; status == 0 && options && *options; options += 2)
        status = tls_policy_set(policy, options[0], options[1] ? options[1] : "");
    if (status == 0)
        status = tls_policy_check(policy);
    if (status == 0 && policy->serving != TLS_OFF)
        status = fail(PARLEY_USAGE, "tls is an option of listeners: a stream has been dialled");
    return status;
}

static int open_session(parley_stream *stream, struct stream_tls *tls, const char *const *options)
{
    tls_policy_default(&tls->policy);
    int status = set_options(&tls->policy, options);
    if (status < 0)
        return status;
    if (!(tls->keep = tls_keep_new()))
        return PARLEY_RESOURCE;
    if ((status = tls_open(&tls->tls, &tls->policy, tls->keep)) < 0)
        return status;
    const char *host = *stream->host ? stream->host : NULL;
    tls->session = tls_session_new(tls->tls, true, host, put, stream);
    return tls->session ? 0 : PARLEY_USAGE;
}

static const char too_early[] = "TLS: it ended in the middle of the handshake";

static int shake(parley_stream *stream, const struct patience *patience)
{
    struct stream_tls *tls = stream->tls;
    int status = 0;
    tls->patience = patience;
    while (status == 0) {
        enum tls_outcome outcome = tls_shake(tls->session);
        if (outcome == TLS_DONE)
            break;
        if (outcome == TLS_MORE)
            status = fetch(stream, patience, too_early);
        else if (outcome == TLS_ENDED)
            status = broke(tls, fail(PARLEY_NETWORK, "recv %s: %s", stream->peer, too_early));
        else
            status = broke_inside(stream);
    }
    return status;
}

int parley_stream_secure(parley_stream *stream, const char *const *options)
{
    struct patience patience = patience_start(stream->timeout, -1);
    if (stream->tls)
        return fail(PARLEY_USAGE, "parley_stream_secure: the stream speaks TLS already");
    struct stream_tls *tls = sys.calloc(1, sizeof *tls);
    if (!tls)
        return fail(PARLEY_RESOURCE, "no memory for TLS");
    int status = open_session(stream, tls, options);
    if (status < 0) {
        stream_tls_free(tls);
        return status;
    }
    stream->tls = tls;
    status = shake(stream, &patience);
    return status < 0 ? broke(tls, status) : 0; /* there is no way back to plain bytes */
}
