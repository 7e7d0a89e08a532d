#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "captured.h"
#include "explain/explain.h"

static struct captured captured;
static struct sys before;
static char said[1 << 16];

static int start(void **state)
{
    (void)state;
    before = sys;
    capture_stderr(&captured);
    explain_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sys = before;
    release_stderr(&captured);
    return 0;
}

static void read_said(void)
{
    read_captured(&captured, said, sizeof said);
}

/* One line, with the call and with words of what it means. */
static void assert_said(const char *call, const char *meaning)
{
    char head[64];

    read_said();
    snprintf(head, sizeof head, "[pid %d] ", getpid());
    if (strncmp(said, head, strlen(head)) != 0 || strstr(said, call) == NULL ||
        strstr(said, meaning) == NULL || strchr(said, '\n') != said + strlen(said) - 1)
        fail_msg("not \"%s\" with \"%s\": %s", call, meaning, said);
}

struct pair {
    int listener, client, server;
};

static void listen_on_loopback(struct pair *pair, struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    const int yes = 1;

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    pair->listener = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_said("socket(AF_INET, SOCK_STREAM) = ", "without an address yet");
    assert_int_equal(sys.setsockopt(pair->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_said("SO_REUSEADDR, 1) = 0", "TIME_WAIT");
    assert_int_equal(sys.bind(pair->listener, (struct sockaddr *)address, length), 0);
    assert_said(", 127.0.0.1:0) = 0", "has the address 127.0.0.1:");
    assert_int_equal(sys.listen(pair->listener, 5), 0);
    assert_said(", 5) = 0", "two queues");
    getsockname(pair->listener, (struct sockaddr *)address, &length);
}

static void join(struct pair *pair)
{
    struct sockaddr_in address;
    char expected[64];

    listen_on_loopback(pair, &address);
    pair->client = sys.socket(AF_INET, SOCK_STREAM, 0);
    read_said();
    assert_int_equal(sys.connect(pair->client, (struct sockaddr *)&address, sizeof address), 0);
    snprintf(expected, sizeof expected, "connect(%d, 127.0.0.1:%d) = 0", pair->client,
             ntohs(address.sin_port));
    assert_said(expected, "the handshake is done");
    pair->server = sys.accept4(pair->listener, NULL, NULL, SOCK_NONBLOCK);
    snprintf(expected, sizeof expected, "accept(%d) = %d", pair->listener, pair->server);
    assert_said(expected, "a new descriptor for this one client, 127.0.0.1:");
}

static void a_connection_is_told_from_socket_to_close(void **state)
{
    struct pair pair;
    char bytes[64];

    (void)state;
    join(&pair);
    assert_int_equal(sys.send(pair.client, "hello\n", 6, MSG_NOSIGNAL), 6);
    assert_said(", \"hello\\n\", 6) = 6", "the kernel has it all");
    assert_int_equal(sys.recv(pair.server, bytes, sizeof bytes, 0), 6);
    assert_said(", \"hello\\n\", 64) = 6", "6 bytes had arrived");
    assert_int_equal(sys.shutdown(pair.client, SHUT_WR), 0);
    assert_said(", SHUT_WR) = 0", "FIN goes out");
    assert_int_equal(sys.recv(pair.server, bytes, sizeof bytes, 0), 0);
    assert_said(", buffer, 64) = 0", "the peer has finished sending");
    assert_int_equal(sys.close(pair.server), 0);
    assert_said(") = 0", "the peer had finished before");
    assert_int_equal(sys.close(pair.client), 0);
    assert_said(") = 0", "over already");
    assert_int_equal(sys.close(pair.listener), 0);
    assert_said(") = 0", "listens no more");
}

static void errors_have_names_and_reach_the_caller(void **state)
{
    struct pair pair;
    char byte;

    (void)state;
    join(&pair);
    assert_int_equal(sys.recv(pair.server, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    assert_said(") = -1 EAGAIN", "nothing has arrived yet");
    assert_int_equal(sys.recv(-1, &byte, 1, 0), -1);
    assert_int_equal(errno, EBADF);
    assert_said("recv(-1, buffer, 1) = -1 EBADF", "bad file descriptor");
    assert_int_equal(sys.close(-1), -1);
    assert_int_equal(errno, EBADF);
    assert_said("close(-1) = -1 EBADF", "bad file descriptor");
    assert_int_equal(sys.listen(1 << 20, 1), -1);
    assert_int_equal(errno, EBADF);
    errno = ENOTTY;
    assert_int_equal(sys.send(pair.client, "x", 1, 0), 1);
    assert_int_equal(errno, ENOTTY);
    close(pair.client);
    close(pair.server);
    close(pair.listener);
}

static void the_outcome_of_a_connect_has_its_name(void **state)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};
    struct pollfd writable = {.events = POLLOUT};
    int fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
    socklen_t length = sizeof error;

    (void)state;
    assert_said("socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK) = ", "its calls never wait");
    assert_int_equal(sys.connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    read_said();
    writable.fd = fd;
    poll(&writable, 1, 1000);
    assert_int_equal(sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    if (error == ECONNREFUSED)
        assert_said(", SO_ERROR, ECONNREFUSED) = 0", "connection refused: ");
    close(fd);
}

static void a_partial_send_says_where_the_rest_is(void **state)
{
    struct pair pair;
    static char bytes[16 << 20];
    struct iovec parts[2] = {{bytes, sizeof bytes / 2}, {bytes, sizeof bytes / 2}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;

    (void)state;
    join(&pair);
    sent = sys.sendmsg(pair.server, &message, MSG_NOSIGNAL);
    assert_true(sent > 0 && sent < (ssize_t)sizeof bytes);
    assert_said("… and 1 more, 16777216) = ", "of 16777216: its send buffer is full");
    close(pair.client);
    close(pair.server);
    close(pair.listener);
}

static void a_close_that_resets_says_so(void **state)
{
    struct pair pair;

    (void)state;
    join(&pair);
    assert_int_equal(sys.send(pair.client, "unread", 6, 0), 6);
    read_said();
    assert_int_equal(sys.close(pair.server), 0);
    assert_said(") = 0", "RST instead of FIN");
    close(pair.client);
    close(pair.listener);
}

static void a_call_that_will_sleep_is_told_before(void **state)
{
    struct pair pair;
    const struct timeval soon = {0, 50000};
    char byte;

    (void)state;
    join(&pair);
    sys.setsockopt(pair.client, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    assert_said("SO_RCVTIMEO, 0.050 s) = 0", "recv sleep");
    assert_int_equal(sys.recv(pair.client, &byte, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    read_said();
    assert_non_null(strstr(said, ") …"));
    assert_true(strstr(said, "sleeps until bytes arrive") < strstr(said, "-1 EAGAIN"));
    assert_non_null(strstr(said, "SO_RCVTIMEO allows"));
    close(pair.client);
    close(pair.server);
    close(pair.listener);
}

static void hostile_bytes_are_escaped_and_cut(void **state)
{
    struct pair pair;
    static char bytes[4096];

    (void)state;
    join(&pair);
    memset(bytes, '\x1b', sizeof bytes);
    assert_int_equal(sys.send(pair.client, bytes, sizeof bytes, 0), sizeof bytes);
    assert_said("\"\\x1b\\x1b", "\"…, 4096) = 4096");
    assert_null(strchr(said, '\x1b'));
    close(pair.client);
    close(pair.server);
    close(pair.listener);
}

/* ---- many descriptors ----------------------------------------------------------------------- */

static void epoll_names_the_ready_descriptors(void **state)
{
    struct pair pair;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0xfedcba9876543210};
    struct epoll_event ready[4];
    int epoll = sys.epoll_create1(EPOLL_CLOEXEC);
    char expected[64];

    (void)state;
    assert_said("epoll_create1() = ", "kept in the kernel");
    join(&pair);
    assert_int_equal(sys.epoll_ctl(epoll, EPOLL_CTL_ADD, pair.server, &event), 0);
    assert_said(", EPOLLIN|EPOLLET) = 0", "on the list");
    assert_int_equal(sys.epoll_wait(epoll, ready, 4, 0), 0);
    assert_said(", 0 ms) = 0", "nothing is ready");
    assert_int_equal(sys.epoll_wait(epoll, ready, 4, 10), 0);
    read_said();
    assert_non_null(strstr(said, "sleeps until one of its descriptors is ready, 10 ms at most"));
    assert_int_equal(write(pair.client, "x", 1), 1);
    assert_int_equal(sys.epoll_wait(epoll, ready, 4, -1), 1);
    assert_true(ready[0].data.u64 == event.data.u64);
    snprintf(expected, sizeof expected, "ready: %d (input);", pair.server);
    assert_said(", for ever) = 1", expected);
    assert_int_equal(sys.epoll_ctl(epoll, EPOLL_CTL_DEL, pair.server, NULL), 0);
    assert_said("EPOLL_CTL_DEL", "off the list");
    assert_int_equal(sys.close(epoll), 0);
    assert_said("close(", "the list of watched descriptors");
    close(pair.client);
    close(pair.server);
    close(pair.listener);
}

static void poll_and_select_say_what_they_looked_at(void **state)
{
    struct pair pair;
    struct pollfd fds[3];
    struct timeval patience = {0, 10000};
    char expected[64];
    fd_set in, out;

    (void)state;
    join(&pair);
    fds[0] = (struct pollfd){.fd = pair.server, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = -1};
    fds[2] = (struct pollfd){.fd = pair.client, .events = POLLIN | POLLOUT};
    assert_int_equal(sys.poll(fds, 3, -1), 1);
    snprintf(expected, sizeof expected, "poll({%d %d:in,out}, 3, for ever) = 1", pair.server, pair.client);
    assert_said(expected, "(room for output); the whole list");
    assert_int_equal(fds[2].revents, POLLOUT);
    assert_int_equal(sys.poll(fds, 1, 10), 0);
    read_said();
    assert_non_null(strstr(said, "10 ms at most"));
    assert_non_null(strstr(said, "time is up"));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(pair.server, &in);
    FD_SET(pair.client, &out);
    assert_int_equal(sys.select(pair.server + 1, &in, &out, NULL, NULL), 1);
    snprintf(expected, sizeof expected, "select(%d, {%d}, {%d}, for ever) = 1", pair.server + 1, pair.server,
             pair.client);
    assert_said(expected, "overwritten");
    assert_false(FD_ISSET(pair.server, &in));
    FD_SET(pair.server, &in);
    assert_int_equal(sys.select(pair.server + 1, &in, NULL, NULL, &patience), 0);
    close(pair.client);
    close(pair.server);
    close(pair.listener);
}

/* ---- workers -------------------------------------------------------------------------------- */

static void fork_is_told_twice_and_copies_are_known(void **state)
{
    struct pair pair;
    int status;
    pid_t child;

    (void)state;
    join(&pair);
    child = sys.fork();
    if (child == 0) {
        sys.close(pair.listener);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    sys.close(pair.server);
    read_said();
    assert_non_null(strstr(said, "fork() = 0 "));
    assert_non_null(strstr(said, "called once, returns twice"));
    assert_non_null(strstr(said, "it listens until the last copy is closed"));
    assert_non_null(strstr(said, "the parent's copy alone; the child has one"));
    close(pair.client);
    close(pair.listener);
}

static void *ring_a_bell(void *argument)
{
    int bell = sys.eventfd(0, EFD_CLOEXEC);

    close(bell);
    return argument;
}

static void threads_have_a_number_of_their_own(void **state)
{
    pthread_t thread;
    char head[32];

    (void)state;
    assert_int_equal(sys.pthread_create(&thread, NULL, ring_a_bell, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    read_said();
    snprintf(head, sizeof head, "[pid %d thread ", getpid());
    assert_non_null(strstr(said, "pthread_create() = 0"));
    assert_non_null(strstr(said, head));
    assert_non_null(strstr(said, "eventfd(0) = "));
}

static void notes_have_two_columns(void **state)
{
    (void)state;
    errno = ENOTTY;
    sys.note("the kernel accepts  for us", "io_uring: queue accept on %d", 3);
    assert_int_equal(errno, ENOTTY);
    assert_said("io_uring: queue accept on 3 ", "  the kernel accepts  for us\n");
    sys.note("", "one column");
    assert_said("one column\n", "");
}

static void starting_twice_tells_once(void **state)
{
    (void)state;
    explain_start();
    int bell = sys.eventfd(0, EFD_CLOEXEC);
    assert_said("eventfd(0)", "");
    sys.close(bell);
    assert_said("close(", "an eventfd: it wakes nobody any more, or was only held in reserve");
}

#define TOLD(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TOLD(a_connection_is_told_from_socket_to_close),
        TOLD(errors_have_names_and_reach_the_caller),
        TOLD(the_outcome_of_a_connect_has_its_name),
        TOLD(a_partial_send_says_where_the_rest_is),
        TOLD(a_close_that_resets_says_so),
        TOLD(a_call_that_will_sleep_is_told_before),
        TOLD(hostile_bytes_are_escaped_and_cut),
        TOLD(epoll_names_the_ready_descriptors),
        TOLD(poll_and_select_say_what_they_looked_at),
        TOLD(fork_is_told_twice_and_copies_are_known),
        TOLD(threads_have_a_number_of_their_own),
        TOLD(notes_have_two_columns),
        TOLD(starting_twice_tells_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
