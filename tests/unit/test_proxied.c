/* PROXY headers in front of accepted connections, in every model: what the handler is told, and when. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "net/proxy.h"
#include "serving.h"

#define HEADER_V2 "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\1\x0a\0\0\2\x9c\x40\0\x50"

static const char header_v1[] = "PROXY TCP6 2001:db8::1 2001:db8::2 40000 80\r\n";
static const char header_v2[] = HEADER_V2;

static void tell(parley_conn *conn)
{
    saw_opened(conn);
    parley_sendf(conn, "%s %s", parley_peer(conn), parley_local(conn));
    parley_sendf(conn, " %s\n", *parley_via(conn) ? "via" : "direct");
}

static const parley_handler teller =
    PARLEY_HANDLER(.name = "teller", .state_size = sizeof(struct seen), .opened = tell,
                   .received = echo_received, .closed = saw_closed);

static void is_told(const void *header, size_t size, const char *told)
{
    int fd = client_open();

    client_say(fd, header, size);
    client_hear(fd, told, strlen(told));
    client_leave(fd);
}

static void names_in(const char *model)
{
    static const char both[] = HEADER_V2 HEADER_V2 "hello";

    server_start(&teller, model, OPTIONS("proxy-from", "10.0.0.0/8", "proxy-from", "127.0.0.1"));
    is_told(header_v1, sizeof header_v1 - 1, "[2001:db8::1]:40000 [2001:db8::2]:80 via\n");
    is_told(both, sizeof both - 1, "10.0.0.1:40000 10.0.0.2:80 via\n" HEADER_V2 "hello");
    UNTIL(witness->closed == 2);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->misuse, 0);
}

static void the_client_is_whom_the_header_names(void **state)
{
    (void)state;
    in_models(NULL, names_in);
}

/* Neither opened nor closed: the handler never hears of it. */
static void refused_in(const char *model)
{
    server_start(&teller, model, OPTIONS("proxy-from", "127.0.0.1"));
    int fd = client_open();
    client_say(fd, "hello", 5);
    size_t size = 1;
    client_hear_end(fd, &size);
    client_leave(fd);
    assert_int_equal(size, 0);
    fd = client_open();
    client_say(fd, header_v2, 20);
    client_finish(fd);
    client_hear_end(fd, &size);
    client_leave(fd);
    assert_int_equal(size, 0);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->opened + witness->closed, 0);
}

static void nobody_is_let_in_without_a_header(void **state)
{
    (void)state;
    in_models(NULL, refused_in);
}

static void late_in(const char *model)
{
    server_start(&teller, model, OPTIONS("proxy-from", "127.0.0.1", "handshake-timeout", "40ms"));
    int fd = client_open();
    client_say(fd, header_v2, 20);
    client_hear_end(fd, NULL);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->opened + witness->closed, 0);
}

static void a_header_has_its_time(void **state)
{
    (void)state;
    in_models(NULL, late_in);
}

/* Somebody else than the proxy is served, unless it speaks like one. */
static void direct_in(const char *model)
{
    char told[64];

    server_start(&teller, model, OPTIONS("proxy-from", "10.0.0.0/8,unix"));
    int fd = client_open();
    snprintf(told, sizeof told, "127.0.0.1:");
    client_hear(fd, told, strlen(told));
    client_leave(fd);
    UNTIL(witness->closed == 1);
    fd = client_open();
    client_hear(fd, told, strlen(told));
    client_say(fd, header_v1, sizeof header_v1 - 1);
    client_hear_end(fd, NULL);
    client_leave(fd);
    UNTIL(witness->closed == 2);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->reasons[PARLEY_REFUSED], 1);
    assert_int_equal(witness->received, 0);
}

static void nobody_else_may_send_one(void **state)
{
    (void)state;
    in_models(NULL, direct_in);
}

/* The lists are asked about the client, never about the proxy that brings it. */
static void listed_in(const char *model)
{
    server_start(&teller, model, OPTIONS("proxy-from", "127.0.0.1", "deny", "127.0.0.1,2001:db8::/32"));
    is_told(header_v2, sizeof header_v2 - 1, "10.0.0.1:40000");
    int fd = client_open();
    client_say(fd, header_v1, sizeof header_v1 - 1);
    client_hear_end(fd, NULL);
    client_leave(fd);
    fd = client_open();
    client_say(fd, "PROXY UNKNOWN\r\n", 15);
    client_hear_end(fd, NULL);
    client_leave(fd);
    UNTIL(witness->closed == 1);
    assert_int_equal(server_stop(), 0);
    assert_int_equal(witness->opened, 1);
}

static void lists_are_asked_about_the_client(void **state)
{
    (void)state;
    in_models("iterative prethread", listed_in);
}

/* ---- what is kept of it ---------------------------------------------------------------------- */

static void *(*real_realloc)(void *memory, size_t size);

static void *no_header(void *memory, size_t size)
{
    return size >= PROXY_LONGEST / 2 ? NULL : real_realloc(memory, size);
}

static void is_turned_away_without_memory(void **state)
{
    static char much[PROXY_LONGEST];

    (void)state;
    real_realloc = sys.realloc;
    server_make_listening(&teller, "prethread+epoll", OPTIONS("proxy-from", "127.0.0.1"));
    sys.realloc = no_header;
    server_run();
    memcpy(much, header_v2, sizeof header_v2 - 1);
    int fd = client_open();
    client_say(fd, much, sizeof much);
    client_hear_end(fd, NULL);
    client_leave(fd);
    assert_int_equal(server_stop(), 0);
    sys.realloc = real_realloc;
    assert_int_equal(witness->opened + witness->closed, 0);
}

/* A path is longer than what a connection keeps of an address: it is read out of the header again. */
static void unix_clients_have_their_path(void **state)
{
    unsigned char header[16 + 216] = "\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8";

    (void)state;
    memcpy(header + 16, "/run/client", 12);
    server_start(&teller, "prethread+epoll", OPTIONS("proxy-from", "127.0.0.1"));
    is_told(header, sizeof header, "unix:/run/client unix via\n");
    assert_int_equal(server_stop(), 0);
}

static void who_speaks_for_nobody_is_its_own_client(void **state)
{
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

    (void)state;
    server_start(&teller, "prethread+epoll", OPTIONS("proxy-from", "127.0.0.1"));
    is_told(local, sizeof local - 1, "127.0.0.1:");
    is_told("PROXY UNKNOWN\r\n", 15, "127.0.0.1:");
    assert_int_equal(server_stop(), 0);
}

static void stops_while_headers_are_awaited(void **state)
{
    (void)state;
    server_start(&teller, "prethread+epoll", OPTIONS("proxy-from", "127.0.0.1", "handshake-timeout", "0"));
    int waiting = client_open(), served = client_open();
    client_say(served, header_v2, sizeof header_v2 - 1);
    client_hear(served, "10.0.0.1:40000", 14);
    assert_int_equal(server_stop(), 0);
    client_hear_end(waiting, NULL);
    client_leave(waiting);
    client_leave(served);
    assert_int_equal(witness->opened, 1);
}

/* ---- those we send --------------------------------------------------------------------------- */

static char backend[32];

static void connect_beside(parley_conn *conn)
{
    static const parley_handler guest = PARLEY_HANDLER(.name = "guest");
    parley_conn *beside = parley_connect(conn, backend, &guest, NULL);

    assert_non_null(beside);
    parley_send(beside, "hello", 5);
}

static const parley_handler relay = PARLEY_HANDLER(.name = "relay", .opened = connect_beside);

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(backend, sizeof backend, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

/* Who connects for a client names that client, and passes on what it was told of it. */
static void guests_in(const char *model)
{
    static const char both[] = "PROXY TCP6 2001:db8::1 2001:db8::2 40000 80\r\nhello";
    int listener = listen_anywhere();

    server_start(&relay, model, OPTIONS("proxy-from", "127.0.0.1", "proxy-send", "v1"));
    int client = client_open();
    client_say(client, header_v1, sizeof header_v1 - 1);
    int reached = accept(listener, NULL, NULL);
    client_hear(reached, both, sizeof both - 1);
    close(reached);
    client_leave(client);
    assert_int_equal(server_stop(), 0);
    close(listener);
}

static void a_guest_speaks_for_whom_it_is_beside(void **state)
{
    (void)state;
    in_models("select poll epoll uring", guests_in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(the_client_is_whom_the_header_names),
        SERVER_TEST(nobody_is_let_in_without_a_header),
        SERVER_TEST(a_header_has_its_time),
        SERVER_TEST(nobody_else_may_send_one),
        SERVER_TEST(lists_are_asked_about_the_client),
        SERVER_TEST(is_turned_away_without_memory),
        SERVER_TEST(unix_clients_have_their_path),
        SERVER_TEST(who_speaks_for_nobody_is_its_own_client),
        SERVER_TEST(stops_while_headers_are_awaited),
        SERVER_TEST(a_guest_speaks_for_whom_it_is_beside),
    };

    return cmocka_run_group_tests(tests, serving_prepare, serving_check);
}
