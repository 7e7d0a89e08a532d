#include "dialling.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loopback.h"

static struct address reached;

/* ---- calls that can be made to fail --------------------------------------------------------- */

struct sys real;
int (*connect_instead)(int fd, const struct sockaddr *address, socklen_t length);
int (*socket_instead)(int family, int type, int protocol);
atomic_int allocations_left;
atomic_int waited;

static int counted_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready = real.poll(fds, count, timeout);

    if (ready == 0)
        atomic_fetch_add(&waited, timeout);
    return ready;
}

void check_waited(int64_t start, int least, int most)
{
    assert_true(sys.now() - start >= least);
    assert_in_range(waited, 0, most);
}

static int switched_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return (connect_instead != NULL ? connect_instead : real.connect)(fd, address, length);
}

static int switched_socket(int family, int type, int protocol)
{
    return (socket_instead != NULL ? socket_instead : real.socket)(family, type, protocol);
}

static bool allocation_fails(void)
{
    errno = ENOMEM;
    return atomic_fetch_sub(&allocations_left, 1) <= 0;
}

static void *scarce_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : real.calloc(count, size);
}

static void *scarce_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : real.realloc(memory, size);
}

int switch_calls(void **state)
{
    real = sys;
    sys.connect = switched_connect;
    sys.socket = switched_socket;
    sys.poll = counted_poll;
    sys.calloc = scarce_calloc;
    sys.realloc = scarce_realloc;
    return remember_baseline(state);
}

/* ---- what dial() tells ---------------------------------------------------------------------- */

char heard[16384];
int tries;
void (*on_try)(int number);

static void listen_in(void *context, const char *sentence)
{
    size_t used = strlen(heard);

    (void)context;
    snprintf(heard + used, sizeof heard - used, "%s\n", sentence);
    if (strncmp(sentence, "trying ", 7) == 0) {
        tries++;
        if (on_try != NULL)
            on_try(tries);
    }
}

struct dial_options options_with(int64_t timeout)
{
    return (struct dial_options){.timeout = timeout, .cancel = -1, .progress = listen_in};
}

int forget(void **state)
{
    (void)state;
    heard[0] = '\0';
    tries = 0;
    on_try = NULL;
    connect_instead = NULL;
    socket_instead = NULL;
    allocations_left = INT_MAX;
    waited = 0;
    memset(&reached, 0, sizeof reached);
    return 0;
}

int dial_text(const char *text, const struct dial_options *options)
{
    struct endpoint endpoint = endpoint_of("%s", text);

    return dial(&endpoint, options, &reached);
}

const char *port_text(const char *host, int port)
{
    static char texts[2][128];
    static int turn;
    char *text = texts[turn++ % 2];

    snprintf(text, sizeof texts[0], "%s:%d", host, port);
    return text;
}

static const char *reached_text(void)
{
    static char text[ADDRESS_TEXT];

    return address_text((struct sockaddr *)&reached.storage, reached.length, text);
}

void check_connected(int fd, const char *peer)
{
    if (fd < 0)
        fail_msg("%s", parley_error());
    assert_string_equal(reached_text(), peer);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}
