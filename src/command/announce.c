#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "command/command.h"

static bool write_all(int descriptor, const char *text, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(descriptor, text, size);

        if (written < 0 && errno != EINTR)
            return false;
        text += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* A unix socket has no port: its address stands for it. */
static int print_ports(const parley_server *server)
{
    for (size_t i = 0; i < parley_listeners(server); i++) {
        const int port = parley_listener_port(server, i);

        if (port > 0)
            printf("%d\n", port);
        else
            printf("%s\n", parley_listener_address(server, i));
    }
    if (fflush(stdout) != 0)
        return fail(PARLEY_RESOURCE, "write standard output: %s", reason_of("write", errno));
    return 0;
}

static int tell_ready(const parley_server *server, int descriptor)
{
    char line[256];

    for (size_t i = 0; i < parley_listeners(server); i++) {
        const int length = snprintf(line, sizeof line, "%s\n", parley_listener_address(server, i));

        if (!write_all(descriptor, line, (size_t)length))
            return fail(PARLEY_RESOURCE, "write --ready-fd %d: %s", descriptor, reason_of("write", errno));
    }
    if (descriptor > STDERR_FILENO)
        close(descriptor);
    return 0;
}

int announce_listeners(const struct arguments *arguments, const parley_server *server)
{
    const int64_t descriptor = arguments_count(arguments, "ready-fd", -1);
    int status = 0;

    if (arguments_given(arguments, "print-port"))
        status = print_ports(server);
    if (status == 0 && descriptor >= 0)
        status = tell_ready(server, (int)descriptor);
    return status;
}
