/* Dials of a server: each in a thread of its own, off the loop, since names and races may take seconds. A
 * deaf poller has no loop to disturb: it dials in place. */
#include "engine/dialling.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/beside.h"
#include "net/dial.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct dialling {
    struct dialling *next;
    struct loop *loop;
    struct letter *letter; /* its outcome: made beforehand, since it must be told */
    pthread_t thread;
    int cancel; /* eventfd that calls it off: the loop's, or, beside a connection, its own */
    char address[];
};

enum { SENTENCE = 512 };

static void progress(void *context, const char *sentence)
{
    struct parley_server *server = ((struct dialling *)context)->loop->server;
    if (server->progress)
        server->progress(server, sentence);
}

static bool is_ours(void *context, const struct address *address)
{
    const struct dialling *dialling = context;
    return server_listens_at(dialling->loop->server, address);
}

/* What the certificate of a TLS server should be for. */
static const char *host_of(const struct endpoint *endpoint)
{
    if (endpoint->kind != ENDPOINT_INET)
        return "";
    return *endpoint->host ? endpoint->host : "localhost";
}

/* Dials, and writes how it went: a descriptor with the host's name, or a status with its sentence. */
static void dial_one(struct dialling *dialling)
{
    const struct options *options = &dialling->loop->server->options;
    struct dial_options how = {.socket = &options->socket,
                               .family = options->family,
                               .bind = *options->bind ? options->bind : NULL,
                               .timeout = options->connect_timeout,
                               .retries = options->retries,
                               .cancel = dialling->cancel,
                               .is_ours = dialling->loop->server->shuns_itself ? is_ours : NULL,
                               .progress = progress,
                               .context = dialling};
    struct letter *letter = dialling->letter;
    struct endpoint endpoint;
    struct address reached;
    letter->fd = endpoint_parse(&endpoint, dialling->address);
    if (letter->generation && endpoint_family(&endpoint) != AF_UNSPEC)
        how.family = AF_UNSPEC; /* beside a client "family" is that of the listeners, and of names */
    if (letter->fd == 0)
        letter->fd = dial(&endpoint, &how, &reached);
    letter->size = (size_t)snprintf((char *)letter->bytes, SENTENCE, "%s",
                                    letter->fd < 0 ? parley_error() : host_of(&endpoint));
}

static void *dial_thread(void *context)
{
    struct dialling *dialling = context;
    dial_one(dialling);
    mailbox_post(&dialling->loop->mailbox, dialling->letter);
    return NULL;
}

static void not_reached(struct loop *loop, const struct letter *letter)
{
    const struct parley_server *server = loop->server;
    if (loop->draining || atomic_load(&loop->worker->stop))
        return;                   /* called off: nothing has failed */
    if (server->bound_count == 0) /* one that also listens serves on */
        server_failed(loop->server, fail(letter->fd, "%s", (const char *)letter->bytes));
    if (server->bound_count > 0 || server->dial_count > 1) /* else it is what parley_run() tells */
        log_line(&loop->log, LOG_CONN, NULL, "%s", (const char *)letter->bytes);
    parley_conn *conn = loop_adopt(loop, -1, NULL, CONN_DIALLED);
    if (!conn)
        return;
    conn->failure = sys.malloc(letter->size + 1);
    if (conn->failure)
        memcpy(conn->failure, letter->bytes, letter->size + 1);
    conn_die(conn, PARLEY_UNREACHED);
}

/* The letter of a guest's dial says whose it is; who has gone meanwhile needs no descriptor. */
static void guest_done(const struct loop *loop, const struct letter *letter)
{
    parley_conn *conn = slots_find(&loop->slots, letter->slot, letter->generation);
    if (conn && !conn->dead)
        guest_dialled(conn, letter->fd, (const char *)letter->bytes);
    else if (letter->fd >= 0)
        sys.close(letter->fd);
}

static void release(struct dialling *dialling)
{
    if (dialling->cancel >= 0 && dialling->cancel != dialling->loop->cancel)
        sys.close(dialling->cancel);
    sys.free(dialling);
}

/* The thread that has sent the letter is at its end. */
static void join(struct loop *loop, const struct letter *letter)
{
    struct dialling **place = &loop->dials, *dialling;
    while (*place && (*place)->letter != letter)
        place = &(*place)->next;
    if (!(dialling = *place))
        return;
    *place = dialling->next;
    pthread_join(dialling->thread, NULL);
    release(dialling);
}

/* Of a unix socket there is no host. */
static void adopt(struct loop *loop, const struct letter *letter, const struct sockaddr *peer)
{
    loop->dialled_host = letter->size > 0 ? (const char *)letter->bytes : NULL;
    loop_adopt(loop, letter->fd, peer, CONN_DIALLED);
    loop->dialled_host = NULL;
}

void dialling_done(struct loop *loop, const struct letter *letter)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof peer;
    join(loop, letter);
    if (letter->generation) {
        guest_done(loop, letter);
        return;
    }
    if (loop->dialling > 0) /* a drain gives up on all of them at once */
        loop->dialling--;
    if (letter->fd < 0) {
        not_reached(loop, letter);
        return;
    }
    if (getpeername(letter->fd, (struct sockaddr *)&peer, &length) < 0)
        peer.ss_family = AF_UNSPEC;
    if (loop->draining || socket_set_blocking(letter->fd, !loop->poller->nonblocking) < 0)
        sys.close(letter->fd);
    else
        adopt(loop, letter, (struct sockaddr *)&peer);
}

static struct dialling *dialling_new(struct loop *loop, const char *address)
{
    static const char room[SENTENCE];
    size_t size = strlen(address) + 1;
    struct dialling *dialling = sys.calloc(1, sizeof *dialling + size);
    if (!dialling)
        return NULL;
    dialling->loop = loop;
    dialling->cancel = loop->cancel;
    memcpy(dialling->address, address, size);
    dialling->letter = letter_new(LETTER_DIALLED, room, sizeof room);
    if (dialling->letter)
        return dialling;
    sys.free(dialling);
    return NULL;
}

/* The letter of one that is not dialled after all, or has been read, is freed with it. */
static void dialling_free(struct dialling *dialling)
{
    sys.free(dialling->letter);
    release(dialling);
}

static int run_thread(struct loop *loop, struct dialling *dialling)
{
    int error = sys.pthread_create(&dialling->thread, NULL, dial_thread, dialling);
    if (error) {
        int status = fail_call("pthread_create", dialling->address, error);
        dialling_free(dialling);
        return status;
    }
    dialling->next = loop->dials;
    loop->dials = dialling;
    return 0;
}

static int start_one(struct loop *loop, const char *address)
{
    struct dialling *dialling = dialling_new(loop, address);
    if (!dialling)
        return fail(PARLEY_RESOURCE, "no memory to dial %s", address);
    loop->dialling++;
    if (loop->poller->deaf) {
        dial_one(dialling);
        dialling_done(loop, dialling->letter);
        dialling_free(dialling);
        return 0;
    }
    int status = run_thread(loop, dialling);
    loop->dialling -= status < 0;
    return status;
}

/* What calls off all dials of the loop. */
static int make_cancel(struct loop *loop)
{
    if (loop->cancel >= 0)
        return 0;
    loop->cancel = sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->cancel < 0)
        return fail_call("eventfd", NULL, errno);
    atomic_store(&loop->worker->cancel, loop->cancel);
    return 0;
}

/* It can be called off by itself: whom it is for may leave before. */
int dialling_begin(struct loop *loop, const char *address, const parley_conn *conn)
{
    struct dialling *dialling = dialling_new(loop, address);
    if (!dialling)
        return fail(PARLEY_RESOURCE, "no memory to dial %s", address);
    dialling->letter->slot = conn->slot.number;
    dialling->letter->generation = conn->slot.generation;
    dialling->cancel = sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (dialling->cancel >= 0)
        return run_thread(loop, dialling);
    int status = fail_call("eventfd", NULL, errno);
    dialling_free(dialling);
    return status;
}

static void call_off(const struct dialling *dialling)
{
    uint64_t one = 1;
    while (write(dialling->cancel, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void dialling_call_off(const parley_conn *conn)
{
    for (const struct dialling *dialling = conn->loop->dials; dialling; dialling = dialling->next)
        if (dialling->letter->generation == conn->slot.generation &&
            dialling->letter->slot == conn->slot.number)
            call_off(dialling);
}

int dialling_start(struct loop *loop)
{
    struct parley_server *server = loop->server;
    if (server->dial_count == 0 || loop->worker->index != 0 || loop->worker->fd >= 0)
        return 0;
    int status = make_cancel(loop);
    if (status < 0)
        return status;
    for (size_t i = 0; i < server->dial_count; i++) {
        status = start_one(loop, server->dials[i]);
        if (status < 0)
            server_failed(server, status); /* the others may do better */
    }
    return 0;
}

void dialling_close(struct loop *loop)
{
    for (struct dialling *dialling = loop->dials, *next; dialling; dialling = next) {
        next = dialling->next;
        call_off(dialling);
        pthread_join(dialling->thread, NULL);
        release(dialling);
    }
    loop->dials = NULL;
    if (loop->cancel < 0)
        return;
    pthread_mutex_lock(&loop->server->lock); /* the supervisor may be about to write to it */
    atomic_store(&loop->worker->cancel, -1);
    pthread_mutex_unlock(&loop->server->lock);
    sys.close(loop->cancel);
    loop->cancel = -1;
    loop->dialling = 0;
}
