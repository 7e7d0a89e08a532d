/* Listening: the sockets a server is bound to, from parley_listen() to the stop. */
#include "base/error.h"
#include "base/sys.h"
#include "engine/server.h"
#include "limit/crowd.h"
#include "net/resolve.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const struct bound *bound)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)&bound->address.storage;
    return local->sun_family == AF_UNIX && local->sun_path[0] != '\0' ? local->sun_path : NULL;
}

/* Remembers the socket file, which is ours to remove at the end, by what no other file has. */
static void remember_file(struct bound *bound)
{
    struct stat file;
    const char *path = path_of(bound);
    if (path && lstat(path, &file) == 0) {
        bound->device = file.st_dev;
        bound->inode = file.st_ino;
    }
}

/* Somebody may have put another server's socket in its place. */
static void remove_file(const struct bound *bound)
{
    struct stat file;
    const char *path = path_of(bound);
    if (path && bound->inode && lstat(path, &file) == 0 && file.st_dev == bound->device &&
        file.st_ino == bound->inode)
        unlink(path);
}

static int make_room(parley_server *server)
{
    struct bound *bounds = sys.realloc(server->bounds, (server->bound_count + 1) * sizeof *bounds);
    if (!bounds)
        return fail(PARLEY_RESOURCE, "no memory for a listener");
    server->bounds = bounds;
    return 0;
}

static struct bound *add_bound(parley_server *server, int fd)
{
    struct bound *bound = &server->bounds[server->bound_count++];
    *bound = (struct bound){.fd = fd,
                            .address = {.length = sizeof bound->address.storage},
                            .door = &server->front,
                            .call = server->calls};
    getsockname(fd, (struct sockaddr *)&bound->address.storage, &bound->address.length);
    bound->only_ipv6 = bound->address.storage.ss_family == AF_INET6 && socket_is_only_ipv6(fd);
    address_text((struct sockaddr *)&bound->address.storage, bound->address.length, bound->text);
    return bound;
}

static int listen_on(parley_server *server, const struct address *wanted)
{
    int status = make_room(server);
    int fd = status == 0 ? socket_listen(wanted, &server->options.socket) : status;
    if (fd < 0)
        return fd;
    remember_file(add_bound(server, fd));
    return 0;
}

/* A family this machine lacks: not a failure while another address of the name works. */
static bool is_missing_family(const struct address *address, int status)
{
    return status < 0 && address->storage.ss_family == AF_INET6 &&
           (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL);
}

static void unbind_after(parley_server *server, size_t count)
{
    while (server->bound_count > count) {
        struct bound *bound = &server->bounds[--server->bound_count];
        sys.close(bound->fd);
        remove_file(bound);
    }
}

int parley_listen(parley_server *server, const char *address)
{
    struct endpoint endpoint;
    struct address_list list = {0};
    int status = endpoint_parse(&endpoint, address);
    if (status == 0)
        status = resolve(&endpoint, server->options.family, true, &list);
    size_t before = server->bound_count, skipped = 0;
    server->calls++;
    for (size_t i = 0; status == 0 && i < list.count; i++) {
        status = listen_on(server, &list.items[i]);
        if (is_missing_family(&list.items[i], status) && ++skipped < list.count)
            status = 0;
    }
    if (status < 0)
        unbind_after(server, before); /* all of a name's addresses, or none */
    address_list_free(&list);
    return status;
}

int parley_listen_fd(parley_server *server, int descriptor)
{
    int family = socket_check_listener(descriptor);
    if (family < 0)
        return family;
    if (server->options.socket.reuseport)
        return fail(PARLEY_USAGE,
                    "descriptor %d: a socket that is passed cannot be had once more for each "
                    "worker (leave reuseport out)",
                    descriptor);
    int status = make_room(server);
    if (status < 0)
        return status;
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ||
        socket_tune(descriptor, family, &server->options.socket) < 0)
        return fail_call("setsockopt", "of the socket passed", errno);
    server->calls++;
    add_bound(server, descriptor); /* its file, if it has one, is somebody else's to remove */
    return 0;
}

int server_open_copies(parley_server *server)
{
    if (!server->options.socket.reuseport || server->worker_total < 2)
        return 0;
    for (size_t i = 0; i < server->bound_count; i++) {
        struct bound *bound = &server->bounds[i];
        if (bound->address.storage.ss_family == AF_UNIX)
            continue;
        if (crowd_is_too_small(server, bound->door))
            return fail(PARLEY_USAGE,
                        "%s: reuseport gives each worker a socket, and connections is less than "
                        "the %u workers",
                        bound->text, server->worker_total);
        bound->copies = sys.calloc(server->worker_total - 1, sizeof *bound->copies);
        if (!bound->copies)
            return fail(PARLEY_RESOURCE, "no memory for the listeners of each worker");
        memset(bound->copies, -1, (server->worker_total - 1) * sizeof *bound->copies);
        for (unsigned copy = 0; copy < server->worker_total - 1; copy++) {
            bound->copies[copy] = socket_listen(&bound->address, &server->options.socket);
            if (bound->copies[copy] < 0)
                return bound->copies[copy];
        }
    }
    return 0;
}

size_t parley_listeners(const parley_server *server)
{
    return server->bound_count;
}

const char *parley_listener_address(const parley_server *server, size_t index)
{
    return index < server->bound_count ? server->bounds[index].text : "";
}

const char *server_socket_file(const parley_server *server, size_t index)
{
    return path_of(&server->bounds[index]);
}

int parley_listener_port(const parley_server *server, size_t index)
{
    return index < server->bound_count
               ? address_port((struct sockaddr *)&server->bounds[index].address.storage)
               : 0;
}

/* ---- the end ---- */

static void close_one(int *fd)
{
    if (*fd >= 0)
        sys.close(*fd);
    *fd = -1;
}

/* The last worker to let go and the supervisor may come at the same time: a descriptor closed twice could be
 * somebody else's by then. */
void server_close_listeners(parley_server *server)
{
    pthread_mutex_lock(&server->lock);
    for (size_t i = 0; i < server->bound_count; i++) {
        struct bound *bound = &server->bounds[i];
        close_one(&bound->fd);
        for (unsigned copy = 0; bound->copies && copy < server->worker_total - 1; copy++)
            close_one(&bound->copies[copy]);
    }
    pthread_mutex_unlock(&server->lock);
}

void server_free_listeners(parley_server *server)
{
    server_close_listeners(server);
    for (size_t i = 0; i < server->bound_count; i++) {
        remove_file(&server->bounds[i]);
        sys.free(server->bounds[i].copies);
    }
    sys.free(server->bounds);
}
