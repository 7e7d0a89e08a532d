#include "loopback.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/resolve.h"

static struct address loopback_address(const char *host, int port)
{
    struct address address = {0};
    struct sockaddr_in *inet = (struct sockaddr_in *)&address.storage;
    struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)&address.storage;

    if (inet_pton(AF_INET, host, &inet->sin_addr) == 1) {
        inet->sin_family = AF_INET;
        inet->sin_port = htons((uint16_t)port);
        address.length = sizeof *inet;
    } else {
        int parsed = inet_pton(AF_INET6, host, &inet6->sin6_addr);
        assert_int_equal(parsed, 1);
        inet6->sin6_family = AF_INET6;
        inet6->sin6_port = htons((uint16_t)port);
        address.length = sizeof *inet6;
    }
    return address;
}

int loopback_listen(const char *host, int *port, int backlog)
{
    struct address address = loopback_address(host, *port);
    int yes = 1;
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int status;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address.storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    status = bind(fd, (struct sockaddr *)&address.storage, address.length);
    assert_int_equal(status, 0);
    status = listen(fd, backlog);
    assert_int_equal(status, 0);
    getsockname(fd, (struct sockaddr *)&address.storage, &address.length);
    *port = address_port((struct sockaddr *)&address.storage);
    return fd;
}

int loopback_free_port(void)
{
    int port = 0;
    int first = loopback_listen("127.0.0.1", &port, 1);
    int second = loopback_listen("::1", &port, 1);

    close(first);
    close(second);
    return port;
}

struct black_hole black_hole_open(const char *host, int *port)
{
    struct black_hole hole = {.listener = loopback_listen(host, port, 0)};
    struct address address = loopback_address(host, *port);

    /* The queue takes one; the others keep it full while their handshakes are retried. */
    for (size_t i = 0; i < sizeof hole.clients / sizeof *hole.clients; i++) {
        hole.clients[i] = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(hole.clients[i], (struct sockaddr *)&address.storage, address.length);
    }
    return hole;
}

void black_hole_close(struct black_hole *hole)
{
    for (size_t i = 0; i < sizeof hole->clients / sizeof *hole->clients; i++)
        close(hole->clients[i]);
    close(hole->listener);
}

struct endpoint endpoint_of(const char *format, ...)
{
    struct endpoint endpoint;
    char text[512];
    va_list arguments;
    int status;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    status = endpoint_parse(&endpoint, text);
    assert_int_equal(status, 0);
    return endpoint;
}

void check_failure(int status, parley_status expected, const char *sentence)
{
    if (status != (int)expected || strstr(parley_error(), sentence) == NULL)
        fail_msg("%d: %s", status, parley_error());
}

int listen_on(const char *text, int family, const struct socket_options *options)
{
    struct endpoint endpoint = endpoint_of("%s", text);
    struct address_list list;
    int fd;

    assert_int_equal(resolve(&endpoint, family, true, &list), 0);
    fd = socket_listen(&list.items[0], options);
    address_list_free(&list);
    return fd;
}

static size_t entries(const char *directory)
{
    DIR *stream = opendir(directory);
    size_t count = 0;

    if (stream == NULL)
        return 0;
    while (readdir(stream) != NULL)
        count++;
    closedir(stream);
    return count - 2; /* "." and ".." */
}

static size_t descriptors_before;
static size_t threads_before;

static void *nothing(void *argument)
{
    return argument;
}

int remember_baseline(void **state)
{
    pthread_t thread;

    (void)state;
    /* A sanitizer starts its own thread beside the first of ours. */
    pthread_create(&thread, NULL, nothing, NULL);
    pthread_join(thread, NULL);
    usleep(50000); /* a joined thread may still be listed */
    descriptors_before = entries("/proc/self/fd");
    threads_before = entries("/proc/self/task");
    return 0;
}

int check_baseline(void **state)
{
    (void)state;
    return !threads_gone() || entries("/proc/self/fd") != descriptors_before;
}

size_t extra_threads(void)
{
    return entries("/proc/self/task") - threads_before;
}

bool threads_gone(void)
{
    for (int i = 0; i < 500; i++) {
        if (extra_threads() == 0)
            return true;
        usleep(10000);
    }
    return false;
}
