/* The one table through which the engine reaches the kernel, the clock and the allocator.
 *
 * It exists so that a test can fail any call in turn, so that `--explain` can narrate each call
 * (explain/explain.c puts itself in front), and so that a simulated kernel can take its place. Set before
 * the workers start, constant afterwards. Members behave as the functions of the same name:
 * -1 and errno. io_uring operations do not pass here: poller/uring.c narrates through `note`. */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>

struct sys {
    int (*socket)(int family, int type, int protocol);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t length);
    int (*fchmodat)(int directory, const char *path, mode_t mode, int flags);
    int (*listen)(int fd, int backlog);
    int (*accept4)(int fd, struct sockaddr *address, socklen_t *length, int flags);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t length);
    ssize_t (*recv)(int fd, void *bytes, size_t size, int flags);
    ssize_t (*send)(int fd, const void *bytes, size_t size, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    int (*shutdown)(int fd, int how);
    int (*close)(int fd);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t length);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *length);
    int (*epoll_create1)(int flags);
    int (*epoll_ctl)(int epoll, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epoll, struct epoll_event *events, int max, int timeout);
    int (*epoll_pwait2)(int epoll, struct epoll_event *events, int max, const struct timespec *timeout,
                        const sigset_t *mask);
    int (*poll)(struct pollfd *fds, nfds_t count, int timeout);
    int (*select)(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout);
    int (*eventfd)(unsigned initial, int flags);
    pid_t (*fork)(void);
    int (*pthread_create)(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *memory, size_t size);
    void (*free)(void *memory);
    int64_t (*now)(void);     /* CLOCK_MONOTONIC in milliseconds */
    uint32_t (*random)(void); /* for jitter only; safe across fork */
    /* NULL, or the narrator of what is no call of this table: what is done, as a format, and what it means.
     */
    void (*note)(const char *meaning, const char *format, ...) __attribute__((format(printf, 2, 3)));
};

extern struct sys sys;

/* What this thread does while it is set is no part of the story that --explain tells: a question to the
 * machine, answered by trying. */
extern _Thread_local bool sys_untold;

#endif
