#include "engine/signals.h"
#include "engine/server.h"
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>

static const int caught[] = {SIGTERM, SIGINT, SIGCHLD, SIGURG};
enum { CAUGHT = sizeof caught / sizeof *caught, MOST_RUNNING = 64, INTERRUPT_EVERY = 20000 /* µs */ };

/* Handlers find the servers here; `handling` lets the last one out before a server goes. */
static _Atomic(parley_server *) running[MOST_RUNNING];
static atomic_uint handling;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users[CAUGHT];
static struct sigaction before[CAUGHT];

static bool is_needed(const parley_server *server, int signal)
{
    if (signal == SIGCHLD)
        return server->options.model.placement->processes;
    return signal == SIGURG || server->options.signals;
}

/* ---- handlers ---- */

static void tell(parley_server *server, int signal)
{
    if (!is_needed(server, signal))
        return;
    if (signal != SIGCHLD) {
        atomic_fetch_add(&server->signals_seen, 1);
        atomic_store(&server->last_signal, signal);
    }
    server_wake(server);
}

static void on_signal(int signal)
{
    atomic_fetch_add(&handling, 1);
    for (int i = 0; i < MOST_RUNNING; i++) {
        parley_server *server = atomic_load(&running[i]);
        if (server)
            tell(server, signal);
    }
    atomic_fetch_sub(&handling, 1);
}

/* Carries nothing: its arrival ends the system call a worker sleeps in. The default of SIGURG is to be
 * ignored, so nobody else misses it. */
static void on_interrupt(int signal)
{
    (void)signal;
}

/* ---- taking and giving back ---- */

static void exchange(parley_server *from, parley_server *to)
{
    for (int i = 0; i < MOST_RUNNING; i++) {
        parley_server *expected = from;
        if (atomic_compare_exchange_strong(&running[i], &expected, to))
            return;
    }
}

static void install(int index)
{
    struct sigaction action = {.sa_handler = caught[index] == SIGURG ? on_interrupt : on_signal};
    if (caught[index] != SIGURG)
        action.sa_flags = SA_RESTART;
    if (users[index]++ == 0)
        sigaction(caught[index], &action, &before[index]);
}

void signals_take(parley_server *server, sigset_t *mask)
{
    sigset_t mine;
    sigemptyset(&mine);
    exchange(NULL, server);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < CAUGHT; i++)
        if (is_needed(server, caught[i])) {
            install(i);
            sigaddset(&mine, caught[i]);
        }
    pthread_mutex_unlock(&lock);
    /* Whoever started us may have left them blocked. */
    pthread_sigmask(SIG_UNBLOCK, &mine, mask);
}

void signals_give_back(parley_server *server, const sigset_t *mask)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < CAUGHT; i++)
        if (is_needed(server, caught[i]) && --users[i] == 0)
            sigaction(caught[i], &before[i], NULL);
    pthread_mutex_unlock(&lock);
    exchange(server, NULL);
    while (atomic_load(&handling) > 0)
        sched_yield();
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* ---- worker processes ---- */

static _Atomic int *stop_flag;
static int stop_value;

static void told_to_stop(int signal)
{
    const struct itimerval often = {{0, INTERRUPT_EVERY}, {0, INTERRUPT_EVERY}};
    (void)signal;
    atomic_store(stop_flag, stop_value);
    setitimer(ITIMER_REAL, &often, NULL);
}

static void handle(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(signal, &action, NULL);
}

void signals_of_worker(_Atomic int *stop, int value)
{
    sigset_t none;
    stop_flag = stop;
    stop_value = value;
    handle(SIGALRM, on_interrupt);
    handle(SIGTERM, told_to_stop);
    handle(SIGINT, SIG_IGN);
    handle(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}
