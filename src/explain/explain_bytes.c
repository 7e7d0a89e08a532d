/* Narrates the moving of bytes, and the end of connections. */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "explain/narration.h"

/* ---- recv ----------------------------------------------------------------------------------- */

static bool say_recv_sleeps(int fd, int flags)
{
    bool sleeps = would_sleep(fd, POLLIN, flags);
    struct narration narration;

    if (sleeps) {
        narration_begin(&narration, "recv");
        narration_call(&narration, "(%d)", fd);
        narration_mean(&narration, "sleeps until bytes arrive, or the peer's end");
        narration_say_sleep(&narration);
    }
    return sleeps;
}

static void mean_received(struct narration *narration, ssize_t received, size_t size)
{
    if (received == 0) {
        narration_mean(narration, "the peer has finished sending (its FIN): end of file, not an error");
    } else if ((size_t)received == size) {
        narration_mean(narration, "%zd bytes fill our buffer: more may wait in the kernel", received);
    } else {
        narration_mean(narration,
                       "%zd byte%s had arrived: a piece of the stream, not necessarily one message", received,
                       received == 1 ? "" : "s");
    }
}

static ssize_t explain_recv(int fd, void *bytes, size_t size, int flags)
{
    struct narration narration;
    bool slept = say_recv_sleeps(fd, flags);
    ssize_t received = plain_sys.recv(fd, bytes, size, flags);
    narration_begin(&narration, "recv");
    narration_call(&narration, "(%d, ", fd);
    if (received > 0) {
        narration_bytes(&narration, bytes, (size_t)received);
        narration_call(&narration, ", %zu)", size);
    } else {
        narration_call(&narration, "buffer, %zu)", size);
    }
    if (received >= 0)
        mean_received(&narration, received, size);
    else if (slept && narration.error == EAGAIN)
        narration_mean(&narration, "slept as long as SO_RCVTIMEO allows, and nothing arrived");
    narration_say(&narration, received);
    return received;
}

/* ---- send ----------------------------------------------------------------------------------- */

static void say_send_sleeps(const char *name, int fd, int flags)
{
    struct narration narration;

    if (would_sleep(fd, POLLOUT, flags)) {
        narration_begin(&narration, name);
        narration_call(&narration, "(%d)", fd);
        narration_mean(&narration, "sleeps: the send buffer is full until the peer reads");
        narration_say_sleep(&narration);
    }
}

static void say_sent(struct narration *narration, ssize_t sent, size_t size)
{
    if (sent == (ssize_t)size) {
        narration_mean(narration, "the kernel has it all in its send buffer; the peer may not have it yet");
    } else if (sent >= 0) {
        narration_mean(narration,
                       "the kernel took %zd of %zu: its send buffer is full; the rest waits in our queue",
                       sent, size);
    }
    narration_say(narration, sent);
}

static ssize_t explain_send(int fd, const void *bytes, size_t size, int flags)
{
    struct narration narration;
    ssize_t sent;

    say_send_sleeps("send", fd, flags);
    sent = plain_sys.send(fd, bytes, size, flags);
    narration_begin(&narration, "send");
    narration_call(&narration, "(%d, ", fd);
    narration_bytes(&narration, bytes, size);
    narration_call(&narration, ", %zu)", size);
    say_sent(&narration, sent, size);
    return sent;
}

static size_t size_of(const struct msghdr *message)
{
    size_t size = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    return size;
}

static ssize_t explain_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct narration narration;
    size_t size = size_of(message), pieces = message->msg_iovlen;
    ssize_t sent;

    say_send_sleeps("sendmsg", fd, flags);
    sent = plain_sys.sendmsg(fd, message, flags);
    narration_begin(&narration, "sendmsg");
    narration_call(&narration, "(%d, ", fd);
    if (pieces > 0)
        narration_bytes(&narration, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
    if (pieces > 1)
        narration_call(&narration, " and %zu more", pieces - 1);
    narration_call(&narration, ", %zu)", size);
    say_sent(&narration, sent, size);
    return sent;
}

/* ---- shutdown and close --------------------------------------------------------------------- */

static int explain_shutdown(int fd, int how)
{
    static const char *const names[] = {"SHUT_RD", "SHUT_WR", "SHUT_RDWR"};
    static const char *const meanings[] = {
        "we will read no more",
        "FIN goes out behind the last byte: we have finished; receiving goes on",
        "we have finished, both ways; the descriptor stays ours until close",
    };
    struct narration narration;
    int result = plain_sys.shutdown(fd, how);

    narration_begin(&narration, "shutdown");
    narration_call(&narration, "(%d, %s)", fd, how >= 0 && how <= 2 ? names[how] : "?");
    if (result == 0 && how >= 0 && how <= 2)
        narration_mean(&narration, "%s", meanings[how]);
    narration_say(&narration, result);
    return result;
}

static int number_option(int fd, int name, int otherwise)
{
    int value = otherwise;
    socklen_t length = sizeof value;

    return plain_sys.getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : otherwise;
}

/* Breaking off instead of finishing: asked for, or because we never read what has arrived. */
static const char *meaning_of_break(int fd)
{
    struct linger linger = {0, 0};
    socklen_t length = sizeof linger;
    int unread = 0;

    if (plain_sys.getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) == 0 && linger.l_onoff &&
        linger.l_linger == 0)
        return "RST instead of FIN: breaks off, and throws away what was not sent";
    if (ioctl(fd, SIOCINQ, &unread) == 0 && unread > 0)
        return "RST instead of FIN, for unread bytes wait here: the peer may lose our last ones";
    return NULL;
}

/* Who has finished so far decides what is left for close to do. */
static const char *meaning_of_end(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    if (plain_sys.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return "the peer will read end of file";
    switch (info.tcpi_state) {
    case TCP_ESTABLISHED: return "FIN goes out: we have finished, and what the peer still sends nobody reads";
    case TCP_CLOSE_WAIT: return "FIN goes out: the peer had finished before, so this ends the connection";
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2: return "our FIN is out already; the kernel awaits the peer's without us";
    case TCP_SYN_SENT: return "gives the handshake up";
    case TCP_CLOSING:
    case TCP_LAST_ACK: return "both have finished; the kernel sees to the last ACK";
    default: return "the connection is over already; only the descriptor is given back";
    }
}

/* NULL for a plain file, whose opening was not narrated either. */
static const char *meaning_of_other(int fd)
{
    static const struct {
        const char *target, *meaning;
    } kinds[] = {
        {"anon_inode:[eventfd]", "an eventfd: it wakes nobody any more, or was only held in reserve"},
        {"anon_inode:[eventpoll]", "the list of watched descriptors goes with it"},
        {"anon_inode:[io_uring]", "the ring: what it still holds is cancelled"},
    };
    bool inherited = descriptor_is_inherited(fd);
    char path[32], target[32] = "";

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) > 0) {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (strcmp(target, kinds[i].target) == 0)
                return inherited ? "the parent's, copied by fork: of no use here" : kinds[i].meaning;
    }
    return target[0] == '/' ? NULL : "not a socket; its number is free again";
}

static const char *meaning_of_close(int fd)
{
    const char *breaks;
    bool listens;

    if (number_option(fd, SO_TYPE, -1) < 0)
        return meaning_of_other(fd);
    listens = number_option(fd, SO_ACCEPTCONN, 0) == 1;
    if (descriptor_is_copy(fd, listens)) {
        return listens ? "this process's copy; it listens until the last copy is closed"
                       : "the parent's copy alone; the child has one, so no FIN goes out";
    }
    if (listens)
        return "listens no more: clients still in its queue are reset";
    breaks = meaning_of_break(fd);
    return breaks != NULL ? breaks : meaning_of_end(fd);
}

static int explain_close(int fd)
{
    struct narration narration;
    const char *meaning = meaning_of_close(fd); /* afterwards nobody can tell */
    int result = plain_sys.close(fd);

    if (meaning == NULL)
        return result;
    narration_begin(&narration, "close");
    narration_call(&narration, "(%d)", fd);
    if (result == 0)
        narration_mean(&narration, "%s", meaning);
    narration_say(&narration, result);
    return result;
}

void explain_bytes(struct sys *table)
{
    table->recv = explain_recv;
    table->send = explain_send;
    table->sendmsg = explain_sendmsg;
    table->shutdown = explain_shutdown;
    table->close = explain_close;
}
