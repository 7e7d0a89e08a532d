#include "engine/server.h"
#include "base/error.h"
#include "base/sys.h"
#include "engine/loop.h"
#include "engine/secure.h"
#include "explain/explain.h"
#include "net/address.h"
#include "supervise/reload.h"
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

/* A handler compiled against an older header is shorter: the callbacks it does not know stay empty. */
static int copy_handler(parley_server *server, const parley_handler *handler)
{
    size_t size = handler->size < sizeof server->copy ? handler->size : sizeof server->copy;
    if (size < offsetof(parley_handler, opened))
        return fail(PARLEY_USAGE, "the handler's size is %zu: fill it with PARLEY_HANDLER(...)",
                    handler->size);
    memcpy(&server->copy, handler, size);
    server->handler = &server->copy;
    return framing_parse(&server->options.framing, handler->framing);
}

/* What the processes of the server share, and what wakes its supervisor. */
static int make_shared(parley_server *server)
{
    server->wake = sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->wake < 0)
        return fail_call("eventfd", NULL, errno);
    void *page =
        mmap(NULL, sizeof *server->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return fail_call("mmap", NULL, errno);
    server->shared = page;
    return 0;
}

parley_server *parley_server_new(const parley_handler *handler)
{
    parley_server *server = sys.calloc(1, sizeof *server);
    if (!server) {
        fail(PARLEY_RESOURCE, "no memory for a server");
        return NULL;
    }
    server->wake = server->manager = -1;
    options_default(&server->options);
    doors_open(server);
    pthread_mutex_init(&server->lock, NULL);
    if (copy_handler(server, handler) == 0 && make_shared(server) == 0)
        return server;
    parley_server_free(server);
    return NULL;
}

static char *copy_text(const char *text, size_t size)
{
    char *copy = sys.malloc(size + 1);
    if (copy) {
        memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}

void parley_server_free(parley_server *server)
{
    if (!server)
        return;
    server_free_listeners(server);
    reload_close(server);
    reload_free(&server->access.reloadable);
    doors_close(server);
    secure_close(server);
    tls_policy_free(&server->options.tls);
    for (size_t i = 0; i < server->dial_count; i++)
        sys.free(server->dials[i]);
    if (server->wake >= 0)
        sys.close(server->wake);
    if (server->shared)
        munmap(server->shared, sizeof *server->shared);
    pthread_mutex_destroy(&server->lock);
    network_list_free(&server->options.proxy_from);
    sys.free(server->dials);
    sys.free(server->watches);
    limits_close(server);
    access_forget(&server->options.access);
    sys.free(server);
}

/* What would come too late for those that listen already. */
static bool is_for_binding(const char *option)
{
    return strcmp(option, "backlog") == 0 || strcmp(option, "reuseport") == 0 ||
           strcmp(option, "unix-mode") == 0;
}

int parley_set(parley_server *server, const char *option, const char *value)
{
    if (server->bound_count > 0 && is_for_binding(option))
        return fail(PARLEY_USAGE, "%s comes too late for what listens already: set it before parley_listen()",
                    option);
    int status = option_set(&server->options, option, value);
    if (status == 0 && server->options.explain)
        explain_start(); /* now: listening is part of the story */
    return status;
}

void parley_server_set_user(parley_server *server, void *user)
{
    server->user = user;
}

void *parley_server_user(const parley_server *server)
{
    return server->user;
}

void parley_on_progress(parley_server *server, void (*progress)(parley_server *server, const char *sentence))
{
    server->progress = progress;
}

void parley_on_listening(parley_server *server, int (*listening)(parley_server *server))
{
    server->listening = listening;
}

void parley_server_log(parley_server *server, const char *format, ...)
{
    va_list arguments;
    if (!log_wants(&server->log, LOG_SERVER))
        return;
    va_start(arguments, format);
    log_vline(&server->log, LOG_SERVER, NULL, format, arguments);
    va_end(arguments);
}

/* Makes room for one more item in an array of `count`. */
static void *grown(void *array, size_t count, size_t size)
{
    return sys.realloc(array, (count + 1) * size);
}

/* ---- dialling ---- */

int parley_dial(parley_server *server, const char *address)
{
    struct endpoint endpoint;
    int status = endpoint_parse(&endpoint, address);
    if (status < 0)
        return status;
    char **dials = grown(server->dials, server->dial_count, sizeof *dials),
         *copy = copy_text(address, strlen(address));
    if (dials)
        server->dials = dials;
    if (!dials || !copy) {
        sys.free(copy);
        return fail(PARLEY_RESOURCE, "no memory to dial %s", address);
    }
    server->dials[server->dial_count++] = copy;
    return 0;
}

/* ---- what fits together ---- */

static unsigned workers_wanted(const parley_server *server)
{
    cpu_set_t processors;
    if (server->options.workers > 0)
        return server->options.workers;
    if (sched_getaffinity(0, sizeof processors, &processors) < 0)
        return 1;
    unsigned count = (unsigned)CPU_COUNT(&processors);
    return count < MOST_WORKERS ? count : MOST_WORKERS;
}

unsigned server_workers(const parley_server *server)
{
    const struct placement *placement = server->options.model.placement;
    unsigned most = server->options.connections, wanted = workers_wanted(server);
    if (!placement_has_pool(placement))
        return 1;
    /* Each takes its share of the connections: crowd_open(). */
    return most > 0 && most < wanted ? most : wanted;
}

static int refuse_model(const parley_server *server, const char *why)
{
    const struct model *model = &server->options.model;
    return fail(PARLEY_USAGE, "%s cannot run under %s+%s: %s",
                server->handler->name ? server->handler->name : "this service", model->placement->name,
                model->poller->name, why);
}

static int check_needs(const parley_server *server)
{
    const struct model *model = &server->options.model;
    unsigned needs = server->handler->needs;
    if ((needs & (PARLEY_PUSH | PARLEY_CONCURRENT)) && model->placement->limit == 1)
        return refuse_model(server,
                            "its clients must be connected at the same time, and iterative serves one after "
                            "another (choose prethread+epoll)");
    if ((needs & PARLEY_PUSH) && model->poller->deaf)
        return refuse_model(server,
                            "it speaks without being spoken to, and a worker blocked in recv cannot be told "
                            "(choose select, poll, epoll or uring)");
    if ((needs & PARLEY_BESIDE) && model->poller->deaf)
        return refuse_model(server,
                            "each connection has another one beside it, and a worker blocked in recv has one "
                            "(choose select, poll, epoll or uring)");
    if ((needs & PARLEY_PUSH) && model->placement->processes)
        return refuse_model(server, "its connections must share one memory (choose prethread or thread)");
    if ((needs & (PARLEY_PUSH | PARLEY_CONCURRENT)) && model->poller->capacity == 1 &&
        !model->placement->per_client && server_workers(server) == 1)
        return refuse_model(server, "its clients must be connected at the same time, and one blocking worker "
                                    "serves one (choose more workers, or another poller)");
    return 0;
}

/* One receive is answered whole before reading pauses, so there must be room for it between the marks. */
static int check_marks(const struct options *options, const char *where)
{
    if (options->high_water == 0)
        return fail(PARLEY_USAGE, "high-water 0 would never let a connection read: at least 1");
    if (options->queue_max < options->high_water || options->queue_max - options->high_water < LEAST_RECEIVE)
        return fail(PARLEY_USAGE,
                    "queue-max%s (%zu) must be at least high-water (%zu) and %d KiB, or connections are cut "
                    "before their reading pauses",
                    where, options->queue_max, options->high_water, LEAST_RECEIVE >> 10);
    return 0;
}

static int check_doors(const parley_server *server)
{
    int status = 0;
    for (const struct door *door = &server->front; door && status == 0; door = door->next) {
        status = limits_check(door->options);
        if (status == 0)
            status = check_marks(door->options, door->where);
    }
    return status;
}

/* What the server does beside accepting. */
static int check_dials_and_watches(const parley_server *server)
{
    const struct model *model = &server->options.model;
    bool one_at_a_time = model->poller->capacity == 1;
    if (server->dial_count > 1 && (model->placement->limit == 1 || one_at_a_time))
        return refuse_model(server,
                            "it dials several connections, which must be open at the same time (choose "
                            "prethread+epoll)");
    if (server->watch_count > 0 && model->poller->deaf)
        return refuse_model(
            server, "it must watch another descriptor beside its connections, and a worker blocked in "
                    "recv cannot (choose select, poll, epoll or uring)");
    if ((server->watch_count > 0 || server->dial_count > 0) &&
        (model->placement->processes || model->placement->per_client))
        return refuse_model(
            server, "dialled connections and watched descriptors belong to one worker of this process "
                    "(choose iterative or prethread)");
    if (server->dial_count > 0 && parley_listeners(server) > 0 && one_at_a_time &&
        server_workers(server) == 1)
        return refuse_model(server, "it dials and listens, and one blocking worker does either (choose more "
                                    "workers, or another poller)");
    return 0;
}

int parley_check(const parley_server *server)
{
    const struct model *model = &server->options.model;
    int status = check_needs(server);
    if (status == 0)
        status = check_dials_and_watches(server);
    if (status == 0)
        status = check_doors(server);
    if (status == 0 && server->options.proxy_source.length > 0 && !server->options.proxy_send)
        status =
            fail(PARLEY_USAGE, "proxy-source is named in a PROXY header, which proxy-send v1 or v2 sends");
    if (status == 0)
        status = secure_check(server);
    return status == 0 && model->poller->check ? model->poller->check() : status;
}

/* ---- calls from other threads ---- */

static int post(parley_server *server, parley_id id, enum letter_kind kind, const void *bytes, size_t size)
{
    struct letter *letter = letter_new(kind, bytes, size);
    int status = PARLEY_STALE;
    if (!letter)
        return fail(PARLEY_RESOURCE, "no memory for a letter of %zu bytes", size);
    letter->slot = (uint32_t)(id >> 24) & 0xfffff;
    letter->generation = (uint32_t)id & 0xffffff;
    pthread_mutex_lock(&server->lock);
    struct worker *worker = server->workers;
    while (worker && !(worker->index == id >> 44 && worker->loop && letter->generation))
        worker = worker->next;
    if (worker && worker->loop->poller->deaf)
        status = PARLEY_USAGE;
    else if (worker)
        status = mailbox_post(&worker->loop->mailbox, letter);
    pthread_mutex_unlock(&server->lock);
    if (status < 0)
        sys.free(letter);
    if (status == PARLEY_USAGE)
        return fail(status, "a worker blocked in recv cannot be told (choose select, poll, epoll or uring)");
    return status == PARLEY_STALE ? fail(status, "that connection has gone, or lives in another process")
                                  : status;
}

int parley_server_send(parley_server *server, parley_id id, const void *bytes, size_t size)
{
    return post(server, id, LETTER_SEND, bytes, size);
}

int parley_server_finish(parley_server *server, parley_id id)
{
    return post(server, id, LETTER_FINISH, NULL, 0);
}

int parley_server_abort(parley_server *server, parley_id id)
{
    return post(server, id, LETTER_ABORT, NULL, 0);
}
