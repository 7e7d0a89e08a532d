#include "serving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loopback.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

struct witness *witness;

/* ---- what handlers see ---------------------------------------------------------------------- */

static void check_phase(parley_conn *conn)
{
    const struct seen *seen = parley_state(conn);

    if (seen->phase != 1)
        atomic_fetch_add(&witness->misuse, 1);
}

void saw_opened(parley_conn *conn)
{
    struct seen *seen = parley_state(conn);
    int now = atomic_fetch_add(&witness->at_once, 1) + 1;

    if (seen->phase != 0)
        atomic_fetch_add(&witness->misuse, 1);
    seen->phase = 1;
    if (now > atomic_load(&witness->most_at_once))
        atomic_store(&witness->most_at_once, now);
    atomic_fetch_add(&witness->opened, 1);
}

void saw_received(parley_conn *conn, size_t size)
{
    const struct seen *seen = parley_state(conn);

    check_phase(conn);
    if (seen->paused)
        atomic_fetch_add(&witness->misuse, 1);
    atomic_fetch_add(&witness->bytes, size);
    atomic_fetch_add(&witness->received, 1);
}

void saw_ended(parley_conn *conn)
{
    check_phase(conn);
    atomic_fetch_add(&witness->ended, 1);
}

void saw_drained(parley_conn *conn)
{
    check_phase(conn);
    atomic_fetch_add(&witness->drained, 1);
}

void saw_timed(parley_conn *conn)
{
    check_phase(conn);
    atomic_fetch_add(&witness->timed, 1);
}

void saw_closed(parley_conn *conn, parley_reason reason)
{
    struct seen *seen = parley_state(conn);

    if (reason != PARLEY_UNREACHED) {
        check_phase(conn);
        atomic_fetch_sub(&witness->at_once, 1);
    }
    seen->phase = 2;
    atomic_fetch_add(&witness->reasons[reason], 1);
    atomic_fetch_add(&witness->closed, 1);
}

void echo_received(parley_conn *conn, const void *bytes, size_t size)
{
    saw_received(conn, size);
    parley_send(conn, bytes, size);
}

const parley_handler witnessed_echo = WITNESS(.received = echo_received);

/* valgrind lets no other thread run while one waits in io_uring_enter(2): https://bugs.kde.org/463859 */
static bool stops_valgrind(const char *model)
{
    return RUNNING_ON_VALGRIND && model_has(model, "uring");
}

/* ---- the server ----------------------------------------------------------------------------- */

parley_server *server;
int port;
char server_sentence[1024];
static pthread_t thread;
static bool is_running;
static int result;

static void *run(void *context)
{
    (void)context;
    result = parley_run(server);
    snprintf(server_sentence, sizeof server_sentence, "%s", result < 0 ? parley_error() : "");
    return NULL;
}

static void expect(int status)
{
    if (status < 0)
        fail_msg("%s: %s", model_now, parley_error());
}

void server_make(const parley_handler *handler, const char *model, const char *const *options)
{
    if (stops_valgrind(model))
        skip();
    server = parley_server_new(handler);
    assert_non_null(server);
    expect(parley_set(server, "model", model));
    expect(parley_set(server, "workers", "2"));
    for (; options != NULL && options[0] != NULL; options += 2)
        expect(parley_set(server, options[0], options[1]));
}

void server_make_listening(const parley_handler *handler, const char *model, const char *const *options)
{
    server_make(handler, model, options);
    expect(parley_listen(server, "127.0.0.1:0"));
    port = parley_listener_port(server, 0);
}

void server_run(void)
{
    is_running = true;
    pthread_create(&thread, NULL, run, NULL);
}

void server_start(const parley_handler *handler, const char *model, const char *const *options)
{
    server_make_listening(handler, model, options);
    server_run();
}

int server_wait(void)
{
    if (is_running)
        pthread_join(thread, NULL);
    is_running = false;
    parley_server_free(server);
    server = NULL;
    return result;
}

int server_stop(void)
{
    parley_stop(server);
    return server_wait();
}

/* ---- models --------------------------------------------------------------------------------- */

#define WITH_EACH_POLLER(placement)                                                                          \
    placement "+blocking", placement "+select", placement "+poll", placement "+epoll", placement "+uring"

const char *const models[MODELS] = {WITH_EACH_POLLER("iterative"), WITH_EACH_POLLER("fork"),
                                    WITH_EACH_POLLER("thread"), WITH_EACH_POLLER("prefork"),
                                    WITH_EACH_POLLER("prethread")};
const char *model_now = "none";

bool model_has(const char *model, const char *half)
{
    char bounded[64];
    char wanted[32];

    snprintf(bounded, sizeof bounded, "+%s+", model);
    snprintf(wanted, sizeof wanted, "+%s+", half);
    return strstr(bounded, wanted) != NULL;
}

bool model_forks(const char *model)
{
    return model_has(model, "fork") || model_has(model, "prefork");
}

static bool has_one_of(const char *model, const char *halves)
{
    char list[128];
    char *rest = list;
    bool has = halves == NULL;

    snprintf(list, sizeof list, "%s", halves != NULL ? halves : "");
    for (char *half; !has && (half = strsep(&rest, " ")) != NULL;)
        has = model_has(model, half);
    return has;
}

void in_models(const char *halves, void (*test)(const char *model))
{
    for (size_t i = 0; i < MODELS; i++) {
        if (!has_one_of(models[i], halves) || stops_valgrind(models[i]))
            continue;
        model_now = models[i];
        memset(witness, 0, sizeof *witness);
        test(model_now);
        assert_int_equal(atomic_load(&witness->misuse), 0);
        assert_int_equal(atomic_load(&witness->closed),
                         atomic_load(&witness->opened) + atomic_load(&witness->reasons[PARLEY_UNREACHED]));
    }
}

/* ---- clients -------------------------------------------------------------------------------- */

/* Interrupted, it goes on by itself: to be waited for. */
static bool connects(int fd, const struct sockaddr_in *address)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof errno;

    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return true;
    while (errno == EINTR) {
        if (poll(&wait, 1, PATIENCE) > 0) {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &errno, &size);
            return errno == 0;
        }
    }
    return false;
}

int client_try(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = PATIENCE / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* a byte said is a segment sent */
    if (!connects(fd, &address)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int client_open(void)
{
    int fd = client_try();

    if (fd < 0)
        fail_msg("%s: connect: %s", model_now, strerror(errno));
    return fd;
}

/* Whether all of it went out. */
static bool say(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        sent += n > 0 ? (size_t)n : 0;
    }
    return true;
}

void client_say(int fd, const void *bytes, size_t size)
{
    if (!say(fd, bytes, size))
        fail_msg("%s: send: %s", model_now, strerror(errno));
}

/* A server of this process gets SIGCHLD, which may end any call here. */
static ssize_t hear_some(int fd, void *bytes, size_t size)
{
    ssize_t n;

    while ((n = recv(fd, bytes, size, 0)) < 0 && errno == EINTR)
        continue;
    return n;
}

void client_hear(int fd, const void *bytes, size_t size)
{
    char *heard = malloc(size + 1);
    size_t got = 0;
    ssize_t n = 1;

    while (heard != NULL && got < size && (n = hear_some(fd, heard + got, size - got)) > 0)
        got += (size_t)n;
    bool right = heard != NULL && got == size && memcmp(heard, bytes, size) == 0;
    free(heard);
    if (!right) {
        fail_msg("%s: heard %zu of %zu bytes: %s", model_now, got, size,
                 n < 0 ? strerror(errno) : "an end, or other bytes");
    }
}

int client_hear_end(int fd, size_t *size)
{
    char bytes[65536];
    ssize_t n;
    size_t total = 0;

    while ((n = hear_some(fd, bytes, sizeof bytes)) > 0)
        total += (size_t)n;
    if (size != NULL)
        *size = total;
    return n < 0 ? errno : 0;
}

void client_finish(int fd)
{
    shutdown(fd, SHUT_WR);
}

void client_leave(int fd)
{
    shutdown(fd, SHUT_RDWR);
    close(fd);
}

void client_reset(int fd)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    (void)connect(fd, &nobody, sizeof nobody);
    close(fd);
}

struct bulk {
    int fd;
    unsigned char *bytes;
    size_t size;
};

static void *say_bulk(void *context)
{
    const struct bulk *bulk = context;

    say(bulk->fd, bulk->bytes, bulk->size);
    return NULL;
}

void client_echo_bulk(int fd, size_t size)
{
    struct bulk bulk = {fd, malloc(size), size};
    pthread_t writer;

    for (size_t i = 0; i < size; i++)
        bulk.bytes[i] = (unsigned char)(i * 31 + i / 251);
    pthread_create(&writer, NULL, say_bulk, &bulk);
    client_hear(fd, bulk.bytes, size);
    pthread_join(writer, NULL);
    free(bulk.bytes);
}

void client_is_served(void)
{
    int fd = client_open();

    client_say(fd, "hello", 5);
    client_hear(fd, "hello", 5);
    client_finish(fd);
    assert_int_equal(client_hear_end(fd, NULL), 0);
    close(fd);
}

/* ---- fixtures ------------------------------------------------------------------------------- */

int serving_prepare(void **state)
{
    witness = mmap(NULL, sizeof *witness, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return remember_baseline(state);
}

int serving_check(void **state)
{
    munmap(witness, sizeof *witness);
    return check_baseline(state);
}

int serving_begin(void **state)
{
    (void)state;
    model_now = "none";
    memset(witness, 0, sizeof *witness);
    return 0;
}

/* After a failure the server is still there: stop it, and say where it was. */
int serving_end(void **state)
{
    (void)state;
    if (server == NULL)
        return 0;
    print_error("in model %s\n", model_now);
    server_stop();
    return 0;
}
