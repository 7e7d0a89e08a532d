/* Letters to a loop from other threads: bounded, and one wake-up for many. */
#ifndef ENGINE_MAILBOX_H
#define ENGINE_MAILBOX_H

#include <parley.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address;

enum letter_kind { LETTER_SEND, LETTER_FINISH, LETTER_ABORT, LETTER_DIALLED };

struct letter {
    struct letter *next;
    enum letter_kind kind;
    uint32_t slot, generation; /* whom it is for; LETTER_DIALLED: the guest, or 0 */
    int fd;                    /* LETTER_DIALLED: the descriptor, or a parley_status */
    size_t size;
    unsigned char bytes[]; /* to send; or the sentence of a failed dial; ended by NUL either way */
};

enum { MAILBOX_ROOM = 4096, MAILBOX_BYTES = 16 << 20 };

struct mailbox {
    pthread_mutex_t lock;
    struct letter *head, **tail;
    size_t count, bytes;
    int eventfd; /* -1: closed, or its loop is deaf */
};

/* Opens with an eventfd, or without when `deaf`: 0 or a parley_status. */
int mailbox_open(struct mailbox *mailbox, bool deaf);
/* Frees what was not read. */
void mailbox_close(struct mailbox *mailbox);

struct letter *letter_new(enum letter_kind kind, const void *bytes, size_t size);
/* Any thread. 0, or PARLEY_FULL (the letter stays the caller's). LETTER_DIALLED is never refused. */
int mailbox_post(struct mailbox *mailbox, struct letter *letter);
/* Any thread: wakes the loop, letter or not. */
void mailbox_ring(const struct mailbox *mailbox);
/* The loop's thread: takes all letters at once and clears the eventfd; free each with sys.free(). */
struct letter *mailbox_take(struct mailbox *mailbox);

#endif
