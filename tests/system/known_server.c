/* A server whose latency is known, to judge a load generator by: it answers each request of `size` bytes with
 * as many, so long after its arrival as a distribution says. Built and started by loading.py.
 *
 *     known_server [--delay SPEC] [--stall AT:FOR] [--capacity N] [--size N]
 *
 * SPEC is in ms: "20"; "20-60", evenly spread; "85:20,13:80,2:200", so many per cent of each. Delays are
 * dealt from a deck that holds the distribution exactly, and so that any few in a row show it well. --stall:
 * so many ms after the first request it does nothing at all for so many ms, once. --capacity: serves at most
 * N a second, one after another. The port is its one line of output. It ends with whoever started it. */
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { DECK = 1000, MOST_EVENTS = 256, MOST_AT_ONCE = 64 << 10, BACKLOG = 4096, MOST_CLIENTS = 65536 };
#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

struct client {
    unsigned generation; /* of those that have had this descriptor */
    size_t partial;      /* bytes of a request that is not whole */
};

struct answer {
    int64_t due;
    uint64_t number; /* answers of one time keep their order */
    int fd;
    unsigned generation;
};

static struct client clients[MOST_CLIENTS]; /* by descriptor */
static int64_t deck[DECK];                  /* in order */
static size_t size = 64, dealt;
static int64_t stall_at = -1, stall_for, service, busy_until, first_at;
static struct answer *heap;
static size_t heap_count, heap_room;
static uint64_t numbers;
static unsigned char bytes[MOST_AT_ONCE];
static int poller, listener, alarm_clock;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* ---- the distribution ---- */

/* The middle of each of the deck's equal parts. */
static void spread(size_t first, size_t last, double low, double high)
{
    for (size_t i = first; i < last; i++)
        deck[i] = (int64_t)((low + (high - low) * ((double)(i - first) + 0.5) / (double)(last - first)) * MS);
}

/* By steps of the golden section, which leave no gap for long; 617 and 1000 have no common factor. */
static int64_t deal(void)
{
    return deck[dealt++ * 617 % DECK];
}

/* A number, and the one behind `sign` after it, or the same again. */
static const char *read_two(const char *text, char sign, double *one, double *other)
{
    char *end;
    *other = *one = strtod(text, &end);
    if (end == text)
        die("not a number");
    if (*end == sign)
        *other = strtod(end + 1, &end);
    return end;
}

static void fill_deck(const char *text)
{
    double one, other;
    size_t filled = 0;
    if (!strchr(text, ':')) {
        read_two(text, '-', &one, &other);
        spread(0, DECK, one, other);
        filled = DECK;
    }
    while (filled < DECK && *text) {
        text = read_two(text, ':', &one, &other);
        text += *text == ',';
        size_t end = filled + (size_t)(one * DECK / 100 + 0.5);
        spread(filled, end > DECK ? DECK : end, other, other);
        filled = end;
    }
    if (filled != DECK)
        die("--delay: the shares are not 100 per cent");
}

/* ---- answers that wait ---- */

static bool comes_before(const struct answer *one, const struct answer *other)
{
    return one->due != other->due ? one->due < other->due : one->number < other->number;
}

static void swap(size_t one, size_t other)
{
    struct answer kept = heap[one];
    heap[one] = heap[other];
    heap[other] = kept;
}

static void put_off(int fd, int64_t due)
{
    if (heap_count == heap_room) {
        heap_room = heap_room * 2 + 1024;
        heap = realloc(heap, heap_room * sizeof *heap);
        if (!heap)
            die("realloc");
    }
    heap[heap_count] = (struct answer){due, numbers++, fd, clients[fd].generation};
    for (size_t i = heap_count++; i > 0 && comes_before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(i, (i - 1) / 2);
}

static struct answer take_first(void)
{
    struct answer first = heap[0];
    heap[0] = heap[--heap_count];
    for (size_t i = 0, least; (least = 2 * i + 1) < heap_count; i = least) {
        if (least + 1 < heap_count && comes_before(&heap[least + 1], &heap[least]))
            least++;
        if (!comes_before(&heap[least], &heap[i]))
            break;
        swap(i, least);
    }
    return first;
}

/* ---- clients ---- */

static void leave(int fd)
{
    clients[fd].generation++; /* what is still due to it is not sent */
    clients[fd].partial = 0;
    close(fd);
}

static void answer(int fd, size_t count)
{
    for (size_t left = count * size; left > 0;) {
        size_t part = left < sizeof bytes ? left : sizeof bytes;
        ssize_t sent = send(fd, bytes, part, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* it has gone: its end of file is on the way */
        left -= (size_t)sent;
    }
}

static void answer_due(int64_t now)
{
    while (heap_count > 0 && heap[0].due <= now) {
        struct answer first = take_first();
        if (first.generation == clients[first.fd].generation)
            answer(first.fd, 1);
    }
}

static void serve(int fd, size_t requests, int64_t now)
{
    size_t at_once = 0;
    for (size_t i = 0; i < requests; i++) {
        busy_until = (busy_until > now ? busy_until : now) + service;
        int64_t due = busy_until + deal();
        if (due <= now)
            at_once++;
        else
            put_off(fd, due);
    }
    answer(fd, at_once);
}

static void receive(int fd)
{
    static unsigned char buffer[MOST_AT_ONCE];
    struct client *client = &clients[fd];
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got <= 0) {
        leave(fd);
        return;
    }
    int64_t now = now_ns();
    first_at = first_at ? first_at : now;
    client->partial += (size_t)got;
    size_t requests = client->partial / size;
    client->partial %= size;
    serve(fd, requests, now);
}

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void take_client(void)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (fd >= MOST_CLIENTS)
        die("more clients than there is room for");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(fd);
}

/* ---- time ---- */

static void sleep_until(int64_t when)
{
    struct timespec time = {.tv_sec = when / SECOND, .tv_nsec = when % SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
        continue;
}

static void stall(int64_t now)
{
    if (stall_at < 0 || !first_at || now < first_at + stall_at)
        return;
    sleep_until(first_at + stall_at + stall_for);
    stall_at = -1;
}

static void set_alarm(void)
{
    int64_t when = heap_count > 0 ? heap[0].due : 0;
    if (stall_at >= 0 && first_at && (when == 0 || first_at + stall_at < when))
        when = first_at + stall_at;
    struct itimerspec timer = {.it_value = {.tv_sec = when / SECOND, .tv_nsec = when % SECOND}};
    timerfd_settime(alarm_clock, TFD_TIMER_ABSTIME, &timer, NULL);
}

static void turn(void)
{
    struct epoll_event events[MOST_EVENTS];
    uint64_t expirations;
    set_alarm();
    int count = epoll_wait(poller, events, MOST_EVENTS, -1);
    stall(now_ns());
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == listener)
            take_client();
        else if (events[i].data.fd != alarm_clock)
            receive(events[i].data.fd);
        else if (read(alarm_clock, &expirations, sizeof expirations) < 0)
            continue; /* it was set anew */
    }
    answer_due(now_ns());
}

/* ---- starting ---- */

static void listen_and_say(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, BACKLOG) < 0 || getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        die("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static void read_stall(const char *text)
{
    double at, span;
    read_two(text, ':', &at, &span);
    stall_at = (int64_t)(at * MS);
    stall_for = (int64_t)(span * MS);
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {{"delay", required_argument, NULL, 'd'},
                                            {"stall", required_argument, NULL, 's'},
                                            {"capacity", required_argument, NULL, 'c'},
                                            {"size", required_argument, NULL, 'z'},
                                            {0}};
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (letter == 'd')
            fill_deck(optarg);
        else if (letter == 's')
            read_stall(optarg);
        else if (letter == 'c')
            service = (int64_t)((double)SECOND / strtod(optarg, NULL));
        else if (letter == 'z')
            size = strtoul(optarg, NULL, 10);
        else
            exit(2);
    }
}

int main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1); /* ns: the stall is as long as it says */
    read_options(argc, argv);
    memset(bytes, 'k', sizeof bytes);
    poller = epoll_create1(EPOLL_CLOEXEC);
    alarm_clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poller < 0 || alarm_clock < 0)
        die("epoll_create1");
    listen_and_say();
    watch(listener);
    watch(alarm_clock);
    for (;;)
        turn();
}
