/* What the ring does for listeners and watched descriptors: accepts and polls, one shot each, armed again
 * while wanted.
 *
 * One shot each time, since multishot accepts on a shared listener give nearly every client to one ring. */
#include "base/sys.h"
#include "engine/accepting.h"
#include "poller/uring.h"
#include <errno.h>
#include <poll.h>

/* With nobody to share with, so many clients are taken per turn; one while explaining: it tells it all. */
enum { MOST_ACCEPTS = 8, PATIENCE = 1000 };

/* ---- arming ---- */

static bool is_wanted(const struct uring_request *request)
{
    return request->listener ? request->listener->wanted : request->watch && request->watch->wanted;
}

static void prepare_poll(struct io_uring_sqe *entry, const struct uring_request *request)
{
    io_uring_prep_poll_add(entry, request->fd, POLLIN);
    if (sys.note)
        sys.note("tell us once it can be read", "io_uring: queue poll on %d", request->fd);
}

static void prepare_accept(struct io_uring_sqe *entry, struct uring_request *request)
{
    request->peer.ss_family = AF_UNSPEC;
    request->peer_length = sizeof request->peer;
    io_uring_prep_accept(entry, request->fd, (struct sockaddr *)&request->peer, &request->peer_length,
                         SOCK_CLOEXEC);
    if (sys.note)
        sys.note("the kernel accepts the next client for us", "io_uring: queue accept on %d", request->fd);
}

static void arm(struct uring *uring, struct uring_request *request)
{
    struct io_uring_sqe *entry = uring_entry(uring);
    if (!entry) {
        uring->unattended = true;
        return;
    }
    if (request->watch || request->knocking)
        prepare_poll(entry, request);
    else
        prepare_accept(entry, request);
    io_uring_sqe_set_data64(entry, uring_tag(request, URING_REQUEST));
    request->armed = true;
    request->cancelled = false;
}

static void cancel(struct uring *uring, struct uring_request *request)
{
    if (!request->armed || request->cancelled)
        return;
    struct io_uring_sqe *entry = uring_entry(uring);
    if (!entry) {
        uring->unattended = true;
        return;
    }
    io_uring_prep_cancel64(entry, uring_tag(request, URING_REQUEST), 0);
    io_uring_sqe_set_data64(entry, uring_tag(NULL, URING_NOTHING));
    request->cancelled = true;
    if (sys.note)
        sys.note("the kernel gives it back undone", "io_uring: cancel %s on %d",
                 request->watch ? "poll" : "accept", request->fd);
}

void uring_attend(struct loop *loop)
{
    struct uring *uring = loop->poller_state;
    uring->unattended = false;
    for (struct uring_request *request = uring->requests; request; request = request->next) {
        bool wanted = is_wanted(request);
        if (wanted && !request->armed)
            arm(uring, request);
        else if (!wanted)
            cancel(uring, request);
    }
    for (struct watch *watch = loop->watches; watch; watch = watch->next)
        if (watch->wanted && !watch->polled)
            uring_watch(loop, watch);
}

/* ---- what is wanted ---- */

/* A request nobody has, or a new one. */
static struct uring_request *request_new(struct uring *uring, int fd)
{
    struct uring_request *request = uring->requests;
    while (request && (request->listener || request->watch || request->armed))
        request = request->next;
    if (!request) {
        request = sys.calloc(1, sizeof *request);
        if (!request)
            return NULL;
        request->next = uring->requests;
        uring->requests = request;
    }
    request->fd = fd;
    request->knocking = request->knocked = false;
    return request;
}

static unsigned accepts_for(const struct loop *loop, const struct listener *listener)
{
    return listener->shared || loop->limit > 0 || loop->bounded || loop->hands_over || sys.note
               ? 1
               : MOST_ACCEPTS;
}

/* Nothing is under way for a listener that is not wanted: the loop may let go of it. */
static void release(struct uring *uring, struct listener *listener)
{
    for (struct uring_request *request = uring->requests; request; request = request->next)
        if (request->listener == listener && !request->armed) {
            request->listener = NULL;
            listener->polled--;
        }
}

void uring_listen(struct loop *loop, struct listener *listener)
{
    struct uring *uring = loop->poller_state;
    unsigned most = accepts_for(loop, listener);
    uring->unattended = true;
    /* `polled` counts its requests, which stay its own while it is wanted. */
    while (listener->wanted && listener->polled < most) {
        struct uring_request *request = request_new(uring, listener->fd);
        if (!request)
            break;
        request->listener = listener;
        listener->polled++;
    }
    if (listener->wanted && listener->polled == 0)
        loop_accept_failed(loop, listener, ENOMEM);
}

static void watch_on(struct uring *uring, struct watch *watch)
{
    struct uring_request *request = request_new(uring, watch->fd);
    if (!request)
        return; /* uring_attend() tries again */
    request->watch = watch;
    watch->polled = 1;
}

/* A watch may be freed once it is not wanted: its request forgets it. */
static void watch_off(struct uring *uring, struct watch *watch)
{
    for (struct uring_request *request = uring->requests; request; request = request->next)
        if (request->watch == watch) {
            cancel(uring, request);
            request->watch = NULL;
        }
    watch->polled = 0;
}

void uring_watch(struct loop *loop, struct watch *watch)
{
    struct uring *uring = loop->poller_state;
    uring->unattended = true;
    if (watch->wanted && !watch->polled)
        watch_on(uring, watch);
    else if (!watch->wanted && watch->polled)
        watch_off(uring, watch);
}

/* ---- completions ---- */

static void polled(struct loop *loop, const struct uring_request *request, int result)
{
    struct watch *watch = request->watch;
    if (!watch || !watch->wanted || result == -ECANCELED)
        return;
    if (sys.note)
        sys.note("it can be read, or is at its end", "io_uring: poll on %d completed", request->fd);
    watch->readable(loop, watch); /* an error too: reading will tell it */
}

/* The kernel wants a free descriptor before it even looks for a client. Without one, wait for a client first:
 * the engine is told only when one is there that cannot be taken. */
static bool goes_knocking(struct uring_request *request, int result)
{
    bool full = result == -EMFILE || result == -ENFILE;
    request->knocking = full && !request->knocked;
    request->knocked = false;
    return request->knocking;
}

static void accepted(struct loop *loop, struct uring_request *request, int result)
{
    struct listener *listener = request->listener;
    if (sys.note && result >= 0)
        sys.note("a new descriptor for this one client", "io_uring: accept on %d completed: %d", request->fd,
                 result);
    if (result >= 0) {
        request->knocked = false;
        loop_accepted(loop, listener, result, (struct sockaddr *)&request->peer);
    } else if (!goes_knocking(request, result) && result != -EAGAIN && result != -EINTR &&
               result != -ECANCELED) {
        loop_accept_failed(loop, listener, -result);
    }
}

void uring_request_done(struct loop *loop, struct uring_request *request, int result)
{
    struct uring *uring = loop->poller_state;
    request->armed = false;
    if (request->knocking) {
        request->knocking = false;
        request->knocked = result >= 0;
    } else if (request->listener) {
        accepted(loop, request, result);
    } else {
        polled(loop, request, result);
    }
    if (is_wanted(request))
        arm(uring, request);
    else if (request->listener)
        release(uring, request->listener);
}

/* ---- the end ---- */

static bool some_is_armed(struct uring *uring)
{
    bool armed = false;
    for (struct uring_request *request = uring->requests; request; request = request->next) {
        armed |= request->armed;
        cancel(uring, request);
    }
    return armed;
}

/* A client that was accepted while the accept was being cancelled: nobody is left to serve it. */
static void end(struct uring_request *request, int result)
{
    request->armed = false;
    if (request->listener && !request->knocking && result >= 0)
        sys.close(result);
}

static void reap(struct uring *uring)
{
    struct io_uring_cqe *completion;
    struct __kernel_timespec patience = {.tv_nsec = 1000000};
    io_uring_submit_and_wait_timeout(&uring->ring, &completion, 1, &patience, NULL);
    while (io_uring_cq_ready(&uring->ring) > 0 && io_uring_peek_cqe(&uring->ring, &completion) == 0) {
        uint64_t tag = completion->user_data;
        if (uring_kind_of(tag) == URING_REQUEST)
            end(uring_subject_of(tag), completion->res);
        io_uring_cqe_seen(&uring->ring, completion);
    }
}

/* Waits for each: an accept still held by a dying ring would keep the listening socket's port taken. */
void uring_end_requests(struct uring *uring)
{
    for (int patience = PATIENCE; some_is_armed(uring) && patience > 0; patience--)
        reap(uring);
    while (uring->requests) {
        struct uring_request *request = uring->requests;
        uring->requests = request->next;
        sys.free(request);
    }
}
