#include "supervise/signals.h"
#include "base/error.h"
#include "engine/server.h"
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>

static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGURG};
enum { CAUGHT = sizeof caught / sizeof *caught, MOST_RUNNING = 64, INTERRUPT_EVERY = 20000 /* µs */ };

/* Handlers find the servers here; `handling` lets the last one out before a server goes. */
static _Atomic(parley_server *) running[MOST_RUNNING];
static atomic_uint handling;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users[CAUGHT];
static struct sigaction before[CAUGHT];

/* A service manager asks for a reload whether or not there is anything to read; a terminal that is gone ends
 * who has nothing. */
static bool is_needed(const parley_server *server, int signal)
{
    if (signal == SIGCHLD)
        return server->options.model.placement->processes;
    if (signal == SIGHUP)
        return server->options.signals && (server->reloadables || *server->options.notify);
    return signal == SIGURG || server->options.signals;
}

/* ---- handlers ---- */

void signals_tell(parley_server *server, int signal)
{
    if (!is_needed(server, signal))
        return;
    if (signal == SIGHUP) {
        atomic_store(&server->reload_asked, true);
    } else if (signal != SIGCHLD) {
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
            signals_tell(server, signal);
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

/* Puts one server, or NULL, in the place of another; false: it has none. */
static bool exchange(parley_server *from, parley_server *to)
{
    for (int i = 0; i < MOST_RUNNING; i++) {
        parley_server *expected = from;
        if (atomic_compare_exchange_strong(&running[i], &expected, to))
            return true;
    }
    return false;
}

static void install(int index)
{
    struct sigaction action = {.sa_handler = caught[index] == SIGURG ? on_interrupt : on_signal};
    if (caught[index] != SIGURG)
        action.sa_flags = SA_RESTART;
    if (users[index]++ == 0)
        sigaction(caught[index], &action, &before[index]);
}

/* SIGURG concerns a thread, not its server. */
static bool is_to_be_told(const parley_server *server)
{
    return server->options.signals || is_needed(server, SIGCHLD);
}

int signals_take(parley_server *server, sigset_t *mask)
{
    sigset_t mine;
    sigemptyset(&mine);
    if (is_to_be_told(server) && !exchange(NULL, server))
        return fail(PARLEY_RESOURCE, "at most %d servers of a process take signals, or have worker processes",
                    MOST_RUNNING);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < CAUGHT; i++)
        if (is_needed(server, caught[i])) {
            install(i);
            sigaddset(&mine, caught[i]);
        }
    pthread_mutex_unlock(&lock);
    if (server->options.signals)
        sigaddset(&mine, SIGHUP); /* the command holds it back until here, not knowing who needs it */
    /* Whoever started us may have left them blocked. */
    pthread_sigmask(SIG_UNBLOCK, &mine, mask);
    return 0;
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
static atomic_bool *reload_flag;

static void interrupt_often(bool on)
{
    const struct timeval every = {0, on ? INTERRUPT_EVERY : 0};
    const struct itimerval often = {every, every};
    setitimer(ITIMER_REAL, &often, NULL);
}

static void told_to_stop(int signal)
{
    (void)signal;
    atomic_store(stop_flag, stop_value);
    interrupt_often(true);
}

static void told_to_reload(int signal)
{
    (void)signal;
    atomic_store(reload_flag, true);
    interrupt_often(true);
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

void signals_of_reload(atomic_bool *asked)
{
    reload_flag = asked;
    /* Not SIG_IGN, which a program started from here would inherit. */
    handle(SIGHUP, asked ? told_to_reload : on_interrupt);
}

void signals_seen(atomic_bool *asked)
{
    do {
        atomic_store(asked, false);
        interrupt_often(false);
    } while (atomic_load(asked)); /* one that came in between must leave its interrupts behind */
}
