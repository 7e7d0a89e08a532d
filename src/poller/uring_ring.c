/* The ring and its buffers: set-up with what the kernel offers, and the way back. */
#include "base/error.h"
#include "base/sys.h"
#include "poller/uring.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct uring_trial uring_trial;

/* liburing maps and unmaps by system calls of its own, unseen by ThreadSanitizer, which then takes the pages
 * of one thread's ring for those of an earlier one's at the same place. Counting orders the end before the
 * beginning. */
static atomic_uint rings_opened_and_closed;

/* Best first. DEFER_TASKRUN (6.1) lets completions happen when we ask for them only, COOP_TASKRUN (5.19) at
 * least without an interrupt. */
static const unsigned setups[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    0,
};

static int set_up(struct uring *uring, unsigned flags)
{
    struct io_uring_params parameters = {.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
                                                  IORING_SETUP_R_DISABLED,
                                         .cq_entries = uring->sizes.completions};
    if (uring_trial.setup)
        return uring_trial.setup(uring->sizes.entries, &uring->ring, &parameters);
    return io_uring_queue_init_params(uring->sizes.entries, &uring->ring, &parameters);
}

static int set_up_best(struct uring *uring)
{
    int result = -EINVAL;
    for (size_t i = 0; i < sizeof setups / sizeof *setups && result == -EINVAL; i++) {
        result = set_up(uring, setups[i]);
        if (result == 0 && sys.note)
            sys.note("two queues shared with the kernel: what we ask for, and what is done",
                     "io_uring_setup(%u) = %d", uring->sizes.entries, uring->ring.ring_fd);
    }
    return result;
}

static int refuse(const char *call, int error)
{
    const char *why = strerrordesc_np(error);
    switch (error) {
    case ENOSYS: why = "this kernel has no io_uring"; break;
    case EPERM:
    case EACCES: why = "not permitted here (kernel.io_uring_disabled, or the rules of a container)"; break;
    case ENOMEM: why = "no memory, or more than RLIMIT_MEMLOCK allows (ulimit -l)"; break;
    case EINVAL: why = "this kernel is too old for it (6.1 is needed)"; break;
    case EMFILE:
    case ENFILE: why = "too many open files"; break;
    default: break;
    }
    return fail(PARLEY_RESOURCE, "%s: %s; choose another poller, such as epoll", call, why);
}

/* Zeroed pages that a forked child does not get: the kernel writes to them. */
static void *map_pages(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    madvise(pages, size, MADV_DONTFORK);
    return pages;
}

static size_t buffer_ring_size(const struct uring *uring)
{
    return uring->sizes.buffers * sizeof(struct io_uring_buf);
}

static size_t memory_size(const struct uring *uring)
{
    return (size_t)uring->sizes.buffers * uring->sizes.buffer_size;
}

static int register_buffers(struct uring *uring)
{
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)uring->buffer_ring,
                                            .ring_entries = uring->sizes.buffers,
                                            .bgid = URING_BUFFER_GROUP};
    io_uring_buf_ring_init(uring->buffer_ring);
    int result = io_uring_register_buf_ring(&uring->ring, &registration, 0);
    if (result < 0)
        return result;
    for (unsigned buffer = 0; buffer < uring->sizes.buffers; buffer++)
        uring_give_back(uring, buffer);
    uring_show_buffers(uring);
    return 0;
}

static int open_memory(struct uring *uring)
{
    uring->vectors = sys.malloc(uring->ring.sq.ring_entries * sizeof *uring->vectors);
    uring->buffer_ring = map_pages(buffer_ring_size(uring));
    uring->memory = map_pages(memory_size(uring));
    return uring->vectors && uring->buffer_ring && uring->memory ? 0 : -ENOMEM;
}

/* ---- what it may do ---- */

/* All that the poller ever queues. A ring passes by the filters of system calls, and whoever got hold of this
 * one could otherwise open files or connect with it. */
static const unsigned operations[] = {IORING_OP_ACCEPT,      IORING_OP_CONNECT, IORING_OP_RECV,
                                      IORING_OP_SEND,        IORING_OP_SENDMSG, IORING_OP_POLL_ADD,
                                      IORING_OP_ASYNC_CANCEL};

enum { OPERATIONS = sizeof operations / sizeof *operations };

/* liburing 2.3 has these two calls in its header only. */
static int tell_ring(const struct uring *uring, unsigned what, const void *argument, unsigned count)
{
    return syscall(SYS_io_uring_register, uring->ring.ring_fd, what, argument, count) < 0 ? -errno : 0;
}

/* Once restricted it takes nothing else, for good. A kernel that cannot restrict it leaves it as it is. */
static int enable(struct uring *uring)
{
    struct io_uring_restriction restrictions[OPERATIONS + 2] = {
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_BUFFER_SELECT},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_UNREGISTER_RING_FDS},
    };
    for (size_t i = 0; i < OPERATIONS; i++)
        restrictions[i + 2] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP,
                                                            .sqe_op = (unsigned char)operations[i]};
    if (!(uring->ring.flags & IORING_SETUP_R_DISABLED))
        return 0;
    tell_ring(uring, IORING_REGISTER_RESTRICTIONS, restrictions, OPERATIONS + 2);
    return tell_ring(uring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int uring_open(struct uring *uring, const struct uring_sizes *sizes)
{
    *uring = (struct uring){.sizes = *sizes};
    int result = set_up_best(uring);
    if (result < 0)
        return refuse("io_uring_setup", -result);
    atomic_fetch_add(&rings_opened_and_closed, 1);
    io_uring_ring_dontfork(&uring->ring);
    io_uring_register_ring_fd(&uring->ring); /* cheaper calls; where it fails they work all the same */
    result = open_memory(uring);
    if (result == 0)
        result = register_buffers(uring);
    if (result == 0)
        result = enable(uring);
    if (result == 0)
        return 0;
    uring_close(uring);
    return refuse("io_uring_register", -result);
}

void uring_close(struct uring *uring)
{
    atomic_fetch_add(&rings_opened_and_closed,
                     1); /* before: another thread may be given the same pages at once */
    io_uring_queue_exit(&uring->ring);
    if (uring->memory)
        munmap(uring->memory, memory_size(uring));
    if (uring->buffer_ring)
        munmap(uring->buffer_ring, buffer_ring_size(uring));
    sys.free(uring->vectors);
}

struct io_uring_sqe *uring_entry(struct uring *uring)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);
    if (!entry) {
        io_uring_submit(&uring->ring);
        entry = io_uring_get_sqe(&uring->ring);
    }
    if (!entry)
        uring->hurried = true; /* the kernel wants its completions read first */
    return entry;
}

void uring_give_back(struct uring *uring, unsigned buffer)
{
    unsigned char *bytes = uring->memory + (size_t)buffer * uring->sizes.buffer_size;
    io_uring_buf_ring_add(uring->buffer_ring, bytes, uring->sizes.buffer_size, (unsigned short)buffer,
                          io_uring_buf_ring_mask(uring->sizes.buffers), (int)uring->returned++);
}

void uring_show_buffers(struct uring *uring)
{
    io_uring_buf_ring_advance(uring->buffer_ring, (int)uring->returned);
    uring->returned = 0;
}
