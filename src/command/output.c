#include "command/output.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A pipe that poll(2) calls writable takes this much without blocking: PIPE_BUF. */
enum { PIECE = 4096 };

/* Regular files and /dev/null cannot be waited for (EPERM): they always take bytes. */
static int open_gate(int fd)
{
    struct epoll_event event = {.events = EPOLLOUT};
    int gate = epoll_create1(EPOLL_CLOEXEC);
    if (gate >= 0 && epoll_ctl(gate, EPOLL_CTL_ADD, fd, &event) != 0) {
        int error = errno;
        close(gate);
        errno = error;
        return -1;
    }
    return gate;
}

int output_open(struct output *output, int fd)
{
    *output = (struct output){.fd = fd, .is_terminal = isatty(fd) == 1};
    output->gate = open_gate(fd);
    return output->gate >= 0 || errno == EPERM ? 0 : -1;
}

/* O_NONBLOCK is not set: the descriptor is shared with the programs that gave it to us. */
static bool would_block(const struct output *output)
{
    struct pollfd wait = {.fd = output->fd, .events = POLLOUT};
    return output->gate >= 0 && poll(&wait, 1, 0) == 0;
}

/* Bytes taken now, 0 when it would block, -1 and errno. */
static ssize_t write_piece(struct output *output, const char *bytes, size_t size)
{
    if (would_block(output))
        return 0;
    size_t piece = output->gate >= 0 && size > PIECE ? PIECE : size;
    ssize_t written = write(output->fd, bytes, piece);
    if (written >= 0 || (errno != EAGAIN && errno != EINTR))
        return written;
    return 0;
}

static ssize_t write_some(struct output *output, const char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t written = write_piece(output, bytes + done, size - done);
        if (written < 0)
            return -1;
        if (written == 0)
            break;
        done += (size_t)written;
    }
    return (ssize_t)done;
}

static int keep(struct output *output, const char *bytes, size_t size)
{
    if (output->room - output->end < size) {
        size_t held = output->end - output->start;
        char *pending = malloc(held + size);
        if (pending == NULL)
            return -1;
        if (held > 0)
            memcpy(pending, output->pending + output->start, held);
        free(output->pending);
        output->pending = pending;
        output->room = held + size;
        output->start = 0;
        output->end = held;
    }
    memcpy(output->pending + output->end, bytes, size);
    output->end += size;
    return 0;
}

int output_write(struct output *output, const void *bytes, size_t size)
{
    const char *from = bytes;
    if (size == 0)
        return 0;
    output->mid_line = from[size - 1] != '\n';
    ssize_t written = output_is_behind(output) ? 0 : write_some(output, from, size);
    if (written < 0 || (size_t)written == size)
        return written < 0 ? -1 : 0;
    return keep(output, from + written, size - (size_t)written);
}

int output_continue(struct output *output)
{
    if (!output_is_behind(output))
        return 0;
    ssize_t written = write_some(output, output->pending + output->start, output->end - output->start);
    if (written < 0)
        return -1;
    output->start += (size_t)written;
    if (!output_is_behind(output))
        output->start = output->end = 0;
    return 0;
}

int output_finish(struct output *output)
{
    while (output_is_behind(output)) {
        struct pollfd wait = {.fd = output->fd, .events = POLLOUT};
        if (poll(&wait, 1, -1) < 0 && errno != EINTR)
            return -1;
        if (output_continue(output) != 0)
            return -1;
    }
    return 0;
}

bool output_is_behind(const struct output *output)
{
    return output->end > output->start;
}

int output_close(struct output *output)
{
    if (output->gate >= 0)
        close(output->gate);
    free(output->pending);
    output->pending = NULL;
    output->start = output->end = output->room = 0;
    return close(output->fd);
}
