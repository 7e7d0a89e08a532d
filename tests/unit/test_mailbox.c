#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sys.h"
#include "engine/mailbox.h"
#include "loopback.h"

enum { WRITERS = 6, LETTERS = 4000 };

static struct mailbox mailbox;

static int prepare(void **state)
{
    (void)state;
    return mailbox_open(&mailbox, false);
}

static int finish(void **state)
{
    (void)state;
    mailbox_close(&mailbox);
    return 0;
}

static bool rings(int patience)
{
    struct pollfd bell = {.fd = mailbox.eventfd, .events = POLLIN};

    return poll(&bell, 1, patience) > 0;
}

static int post(enum letter_kind kind, const void *bytes, size_t size)
{
    struct letter *letter = letter_new(kind, bytes, size);
    int status = mailbox_post(&mailbox, letter);

    if (status < 0)
        sys.free(letter);
    return status;
}

static size_t free_all(struct letter *letter)
{
    size_t count = 0;

    for (struct letter *next; letter != NULL; letter = next, count++) {
        next = letter->next;
        sys.free(letter);
    }
    return count;
}

static void keeps_the_order_and_the_bytes(void **state)
{
    (void)state;
    assert_false(rings(0));
    assert_int_equal(post(LETTER_SEND, "a\0b", 3), 0);
    assert_int_equal(post(LETTER_FINISH, NULL, 0), 0);
    assert_int_equal(post(LETTER_ABORT, NULL, 0), 0);
    assert_true(rings(0));
    struct letter *letter = mailbox_take(&mailbox);
    assert_int_equal(letter->kind, LETTER_SEND);
    assert_int_equal(letter->size, 3);
    assert_memory_equal(letter->bytes, "a\0b", 4);
    assert_int_equal(letter->next->kind, LETTER_FINISH);
    assert_int_equal(letter->next->next->kind, LETTER_ABORT);
    assert_null(letter->next->next->next);
    free_all(letter);
    assert_false(rings(0));
    assert_null(mailbox_take(&mailbox));
}

static void is_bounded_in_letters(void **state)
{
    (void)state;
    for (int i = 0; i < MAILBOX_ROOM; i++)
        assert_int_equal(post(LETTER_FINISH, NULL, 0), 0);
    check_failure(post(LETTER_FINISH, NULL, 0), PARLEY_FULL, "mailbox is full");
    /* A dial's outcome has nobody to try again. */
    assert_int_equal(post(LETTER_DIALLED, "x", 1), 0);
    assert_int_equal(free_all(mailbox_take(&mailbox)), MAILBOX_ROOM + 1);
    assert_int_equal(post(LETTER_FINISH, NULL, 0), 0);
}

static void is_bounded_in_bytes(void **state)
{
    static char bytes[1 << 20];
    int posted = 0;

    (void)state;
    while (post(LETTER_SEND, bytes, sizeof bytes) == 0)
        posted++;
    assert_int_equal(posted, MAILBOX_BYTES / (int)sizeof bytes);
    check_failure(post(LETTER_SEND, bytes, 1), PARLEY_FULL, "mailbox is full");
    free_all(mailbox_take(&mailbox));
    assert_int_equal(post(LETTER_SEND, bytes, sizeof bytes), 0);
}

struct writer {
    pthread_t thread;
    unsigned number;
};

static void *write_letters(void *context)
{
    const struct writer *writer = context;

    for (unsigned i = 0; i < LETTERS;) {
        unsigned text[2] = {writer->number, i};
        if (post(LETTER_SEND, text, sizeof text) == 0)
            i++;
        else
            sched_yield();
    }
    return NULL;
}

/* The reader sleeps on the bell alone: were one letter in it unannounced, the wait would end by time. */
static void many_may_write(void **state)
{
    struct writer writers[WRITERS];
    unsigned next[WRITERS] = {0};
    size_t seen = 0;

    (void)state;
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i].number = i;
        pthread_create(&writers[i].thread, NULL, write_letters, &writers[i]);
    }
    while (seen < (size_t)WRITERS * LETTERS && rings(10000)) {
        struct letter *letters = mailbox_take(&mailbox);
        for (struct letter *letter = letters; letter != NULL; letter = letter->next) {
            unsigned text[2];
            memcpy(text, letter->bytes, sizeof text);
            assert_true(text[0] < WRITERS);
            assert_int_equal(text[1], next[text[0]]);
            next[text[0]]++;
        }
        seen += free_all(letters);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    assert_int_equal(seen, WRITERS * LETTERS);
}

/* A dialled descriptor nobody took is closed with the mailbox. */
static void closing_frees_what_was_not_read(void **state)
{
    struct mailbox other;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct letter *dialled = letter_new(LETTER_DIALLED, "", 0);

    (void)state;
    assert_int_equal(mailbox_open(&other, false), 0);
    dialled->fd = fd;
    assert_int_equal(mailbox_post(&other, dialled), 0);
    assert_int_equal(mailbox_post(&other, letter_new(LETTER_SEND, "x", 1)), 0);
    mailbox_close(&other);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(errno, EBADF);
}

static int no_eventfd(unsigned initial, int flags)
{
    (void)initial, (void)flags;
    errno = EMFILE;
    return -1;
}

static void opening_may_fail(void **state)
{
    struct mailbox other;
    int (*real)(unsigned, int) = sys.eventfd;

    (void)state;
    sys.eventfd = no_eventfd;
    int refused = mailbox_open(&other, false);
    int deaf = mailbox_open(&other, true);
    sys.eventfd = real;
    assert_int_equal(refused, PARLEY_RESOURCE);
    assert_int_equal(deaf, 0);
    assert_int_equal(other.eventfd, -1);
    mailbox_close(&other);
}

#define MAILBOX_TEST(test) cmocka_unit_test_setup_teardown(test, prepare, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAILBOX_TEST(keeps_the_order_and_the_bytes),
        MAILBOX_TEST(is_bounded_in_letters),
        MAILBOX_TEST(is_bounded_in_bytes),
        MAILBOX_TEST(many_may_write),
        MAILBOX_TEST(closing_frees_what_was_not_read),
        MAILBOX_TEST(opening_may_fail),
    };

    return cmocka_run_group_tests(tests, remember_baseline, check_baseline);
}
