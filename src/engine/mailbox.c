#include "engine/mailbox.h"
#include "base/error.h"
#include "base/sys.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_open(struct mailbox *mailbox, bool deaf)
{
    *mailbox = (struct mailbox){.eventfd = -1};
    mailbox->tail = &mailbox->head;
    pthread_mutex_init(&mailbox->lock, NULL);
    if (deaf)
        return 0;
    mailbox->eventfd = sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mailbox->eventfd < 0 ? fail_call("eventfd", NULL, errno) : 0;
}

void mailbox_close(struct mailbox *mailbox)
{
    for (struct letter *letter = mailbox->head, *next; letter; letter = next) {
        next = letter->next;
        if (letter->kind == LETTER_DIALLED && letter->fd >= 0)
            sys.close(letter->fd);
        sys.free(letter);
    }
    if (mailbox->eventfd >= 0)
        sys.close(mailbox->eventfd);
    mailbox->head = NULL;
    mailbox->eventfd = -1;
    pthread_mutex_destroy(&mailbox->lock);
}

struct letter *letter_new(enum letter_kind kind, const void *bytes, size_t size)
{
    struct letter *letter = sys.malloc(sizeof *letter + size + 1);
    if (!letter)
        return NULL;
    *letter = (struct letter){.kind = kind, .fd = -1, .size = size};
    if (size > 0)
        memcpy(letter->bytes, bytes, size);
    letter->bytes[size] = '\0';
    return letter;
}

/* A counter that is already above zero stays readable: only the first of many letters rings. */
void mailbox_ring(const struct mailbox *mailbox)
{
    uint64_t one = 1;
    while (write(mailbox->eventfd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

int mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    pthread_mutex_lock(&mailbox->lock);
    bool full = letter->kind != LETTER_DIALLED &&
                (mailbox->count >= MAILBOX_ROOM || mailbox->bytes + letter->size > MAILBOX_BYTES);
    bool first = mailbox->head == NULL;
    if (!full) {
        *mailbox->tail = letter;
        mailbox->tail = &letter->next;
        mailbox->count++;
        mailbox->bytes += letter->size;
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (full)
        return fail(PARLEY_FULL, "the worker's mailbox is full (%d letters or %d MiB): try again later",
                    MAILBOX_ROOM, MAILBOX_BYTES >> 20);
    if (first)
        mailbox_ring(mailbox);
    return 0;
}

struct letter *mailbox_take(struct mailbox *mailbox)
{
    uint64_t rung;
    if (read(mailbox->eventfd, &rung, sizeof rung) < 0 && errno != EAGAIN && errno != EINTR)
        return NULL;
    pthread_mutex_lock(&mailbox->lock);
    struct letter *letters = mailbox->head;
    mailbox->head = NULL;
    mailbox->tail = &mailbox->head;
    mailbox->count = mailbox->bytes = 0;
    pthread_mutex_unlock(&mailbox->lock);
    return letters;
}
