#include "compare/instance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "compare/words.h"

enum {
    PATIENCE = 10000, /* ms until it must be ready */
    PAUSE = 10,       /* ms between two tries to reach a peer */
    REFUSAL = 2       /* the exit code of wrong usage: a model that cannot be */
};

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int give_up(struct candidate *candidate, const char *reason)
{
    snprintf(candidate->reason, sizeof candidate->reason, "%s", reason);
    return -1;
}

/* It has ended before it was ready: what it said last is why. */
static int explain_end(struct instance *instance, struct candidate *candidate)
{
    child_end(&instance->child);
    const struct child *child = &instance->child;
    candidate->refused =
        candidate->model && WIFEXITED(child->status) && WEXITSTATUS(child->status) == REFUSAL;
    if (candidate->refused)
        child_last_line(child, candidate->reason, sizeof candidate->reason);
    else
        child_epitaph(child, candidate->reason, sizeof candidate->reason);
    return -1;
}

static int too_slow(struct instance *instance, struct candidate *candidate)
{
    char line[200];
    child_last_line(&instance->child, line, sizeof line);
    snprintf(candidate->reason, sizeof candidate->reason, "was not ready within %d s%s%s", PATIENCE / 1000,
             *line ? ": " : "", line);
    return -1;
}

/* ---- our own ---- */

enum { WORDS = 16 };

static int start_model(struct instance *instance, const struct candidate *candidate,
                       const struct compare_plan *plan, int tells)
{
    char descriptor[16], workers[16];
    const char *words[WORDS] = {"parley",
                                "serve",
                                plan->exchange->service,
                                "127.0.0.1:0",
                                "--model",
                                candidate->model,
                                "--log",
                                "none",
                                "--ready-fd",
                                descriptor,
                                candidate->workers > 0 ? "--workers" : NULL,
                                workers};
    snprintf(descriptor, sizeof descriptor, "%d", tells);
    snprintf(workers, sizeof workers, "%u", candidate->workers);
    return child_start(&instance->child, "/proc/self/exe", (char *const *)(void *)words, &plan->server,
                       tells);
}

/* Takes "127.0.0.1:PORT\n"; whether that was it. */
static bool take_address(struct instance *instance, int told)
{
    ssize_t size = read(told, instance->address, sizeof instance->address - 1);
    if (size <= 0)
        return false;
    instance->address[size] = '\0';
    instance->address[strcspn(instance->address, "\n")] = '\0';
    const char *port = strrchr(instance->address, ':');
    instance->port = port ? (int)strtol(port + 1, NULL, 10) : 0;
    return instance->port > 0;
}

static int hear_model(struct instance *instance, struct candidate *candidate, int told, int interrupt)
{
    struct pollfd waits[] = {{.fd = told, .events = POLLIN}, {.fd = interrupt, .events = POLLIN}};
    int ready = poll(waits, 2, PATIENCE);
    if (waits[1].revents || (ready < 0 && errno == EINTR))
        return give_up(candidate, "interrupted");
    if (ready == 0)
        return too_slow(instance, candidate);
    return take_address(instance, told) ? 0 : explain_end(instance, candidate);
}

static int serve_model(struct instance *instance, struct candidate *candidate,
                       const struct compare_plan *plan, int interrupt)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        fail_call("pipe", NULL, errno);
        return give_up(candidate, parley_error());
    }
    int status = start_model(instance, candidate, plan, ends[1]);
    close(ends[1]);
    status = status == 0 ? hear_model(instance, candidate, ends[0], interrupt)
                         : give_up(candidate, parley_error());
    close(ends[0]);
    return status;
}

/* ---- peers ---- */

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that nobody has now; 0 when there is none. */
static int free_port(void)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int port = 0, taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (taken >= 0 && bind(taken, (const struct sockaddr *)&address, length) == 0 &&
        getsockname(taken, (struct sockaddr *)&address, &length) == 0)
        port = ntohs(address.sin_port);
    if (taken >= 0)
        close(taken);
    return port;
}

static bool is_reached(int port)
{
    struct sockaddr_in address = loopback(port);
    int tried = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool reached = tried >= 0 && connect(tried, (const struct sockaddr *)&address, sizeof address) == 0;
    if (tried >= 0)
        close(tried);
    return reached;
}

static int reach_peer(struct instance *instance, struct candidate *candidate, int interrupt)
{
    struct pollfd waits[] = {{.fd = instance->child.ended, .events = POLLIN},
                             {.fd = interrupt, .events = POLLIN}};
    for (int64_t until = now() + PATIENCE; now() < until;) {
        if (is_reached(instance->port))
            return 0;
        if (poll(waits, 2, PAUSE) != 0)
            return waits[0].revents ? explain_end(instance, candidate) : give_up(candidate, "interrupted");
    }
    return too_slow(instance, candidate);
}

static int serve_peer(struct instance *instance, struct candidate *candidate, const struct compare_plan *plan,
                      int interrupt)
{
    instance->port = free_port();
    snprintf(instance->address, sizeof instance->address, "127.0.0.1:%d", instance->port);
    char **words = words_with_port(candidate->words, instance->port);
    if (!words || instance->port == 0) {
        words_free(words);
        return give_up(candidate, words ? "no port of 127.0.0.1 is free" : "no memory for its command");
    }
    int status = child_start(&instance->child, words[0], words, &plan->server, -1);
    words_free(words);
    return status == 0 ? reach_peer(instance, candidate, interrupt) : give_up(candidate, parley_error());
}

/* ---- both ---- */

int instance_start(struct instance *instance, struct candidate *candidate, const struct compare_plan *plan,
                   int interrupt)
{
    *instance = (struct instance){.child = {.ended = -1, .said = -1}};
    return candidate->model ? serve_model(instance, candidate, plan, interrupt)
                            : serve_peer(instance, candidate, plan, interrupt);
}

uint64_t instance_end(struct instance *instance, struct candidate *candidate)
{
    bool early = instance->child.pid > 0 && child_has_ended(&instance->child);
    child_end(&instance->child);
    if (early && !*candidate->reason)
        child_epitaph(&instance->child, candidate->reason, sizeof candidate->reason);
    uint64_t switches = (uint64_t)instance->child.usage.ru_nvcsw + (uint64_t)instance->child.usage.ru_nivcsw;
    child_close(&instance->child);
    return switches;
}
