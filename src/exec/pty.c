#include "exec/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"

enum { ROOM = 4096, STACK = 64 << 10, END_OF_FILE = 4 /* ^D */ };

struct pty {
    int master, slave; /* both close-on-exec */
};

static int make(struct pty *pty)
{
    char name[64];

    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->master < 0)
        return fail_call("posix_openpt", NULL, errno);
    if (grantpt(pty->master) == 0 && unlockpt(pty->master) == 0 &&
        ptsname_r(pty->master, name, sizeof name) == 0) {
        pty->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (pty->slave >= 0)
            return 0;
    }
    const int status = fail_call("open a terminal", NULL, errno);
    close(pty->master);
    return status;
}

/* ---- carrying ---- */

/* One direction: what has been read and not written yet. */
struct flow {
    int from, to;
    size_t start, end;
    bool is_over;     /* nothing more is to be read */
    bool is_mid_line; /* what was read does not end with a newline */
    char bytes[ROOM];
};

struct carriage {
    struct flow in, out; /* to the terminal, and from it */
};

static bool has_bytes(const struct flow *flow)
{
    return flow->start < flow->end;
}

static bool is_passing(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void fill(struct flow *flow)
{
    const ssize_t size = read(flow->from, flow->bytes, sizeof flow->bytes);

    flow->start = 0;
    flow->end = size > 0 ? (size_t)size : 0;
    flow->is_over = size == 0 || (size < 0 && !is_passing());
    if (size > 0)
        flow->is_mid_line = flow->bytes[size - 1] != '\n' && flow->bytes[size - 1] != '\r';
}

static void drain(struct flow *flow)
{
    const ssize_t size = write(flow->to, flow->bytes + flow->start, flow->end - flow->start);

    if (size > 0)
        flow->start += (size_t)size;
    else if (size < 0 && !is_passing())
        flow->end = flow->start; /* nobody takes it */
}

/* A terminal hands over half a line at the first ^D, and only at the next says that this was the end. */
static void say_end(struct flow *in)
{
    in->bytes[0] = in->bytes[1] = END_OF_FILE;
    in->start = 0;
    in->end = in->is_mid_line ? 2 : 1;
}

static short wishes(const struct flow *from, const struct flow *to)
{
    return (short)((!has_bytes(from) && !from->is_over ? POLLIN : 0) | (has_bytes(to) ? POLLOUT : 0));
}

static void look(const struct pollfd *fd, struct flow *from, struct flow *to)
{
    if (fd->revents & POLLOUT && has_bytes(to))
        drain(to);
    if (fd->revents & (POLLIN | POLLHUP | POLLERR) && !has_bytes(from) && !from->is_over)
        fill(from);
}

/* A hang-up is told over and over, wished for or not: nothing is asked where nothing can be done. */
static struct pollfd asked(int fd, short wishes)
{
    return (struct pollfd){.fd = wishes ? fd : -1, .events = wishes};
}

/* A program that lets go of its terminal makes the master's reads and writes fail with EIO. The stream hangs
 * up when the client is gone: nobody hears the rest, and who closes the terminal tells the program. */
static void carry(struct flow *in, struct flow *out)
{
    while (!out->is_over || has_bytes(out)) {
        const bool was_over = in->is_over;
        struct pollfd fds[] = {{.fd = in->from, .events = wishes(in, out)},
                               asked(out->from, wishes(out, in))};

        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents & (POLLHUP | POLLERR))
            return;
        look(&fds[0], in, out);
        look(&fds[1], out, in);
        if (in->is_over && !was_over)
            say_end(in);
    }
}

static void *carry_main(void *context)
{
    struct carriage *carriage = context;

    carry(&carriage->in, &carriage->out);
    close(carriage->in.from);
    close(carriage->out.from);
    free(carriage);
    return NULL;
}

/* It takes no signals: they are for the threads that wait for them. */
static int start(struct carriage *carriage)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, carry_main, carriage);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

/* Both are closed when the program has let go of the terminal or the stream's other end is closed, or now if
 * it fails. */
static int carry_between(int master, int stream)
{
    struct carriage *carriage = calloc(1, sizeof *carriage);
    int error = ENOMEM;

    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    fcntl(stream, F_SETFL, O_RDWR | O_NONBLOCK);
    if (carriage) {
        carriage->in.from = carriage->out.to = stream;
        carriage->in.to = carriage->out.from = master;
        error = start(carriage);
    }
    if (!error)
        return 0;
    free(carriage);
    close(master);
    close(stream);
    return fail_call("pthread_create", NULL, error);
}

int pty_take_place(int *stream)
{
    struct pty pty = {-1, -1};
    int status = make(&pty);

    if (status < 0)
        return status;
    status = carry_between(pty.master, *stream);
    *stream = pty.slave;
    return status;
}
