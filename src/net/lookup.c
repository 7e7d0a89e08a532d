#include "net/lookup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/sys.h"

enum { ABANDONED_MAX = 32 };

/* Shared by the one who asks and the one who waits. */
struct question {
    atomic_int holders;
    atomic_bool answered; /* what follows is readable once it is set */
    int status;
    char sentence[512];
    struct address_list list;
    struct endpoint endpoint;
    int family;
    int bell; /* eventfd: rung when answered */
    bool abandoned;
};

/* Threads still asking for somebody who left. A dead name server must not fill the machine with them. */
static atomic_int abandoned_questions;

bool endpoint_needs_lookup(const struct endpoint *endpoint)
{
    struct in_addr ipv4;

    /* An IPv6 address is the only host with a colon; "localhost" is answered without asking. */
    return endpoint->kind == ENDPOINT_INET && endpoint->host[0] != '\0' &&
           strchr(endpoint->host, ':') == NULL && strcasecmp(endpoint->host, "localhost") != 0 &&
           inet_pton(AF_INET, endpoint->host, &ipv4) != 1;
}

static struct question *question_new(const struct endpoint *endpoint, int family)
{
    struct question *question = sys.calloc(1, sizeof *question);

    if (question == NULL)
        return NULL;
    question->bell = sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (question->bell < 0) {
        sys.free(question);
        return NULL;
    }
    atomic_init(&question->holders, 2);
    question->endpoint = *endpoint;
    question->family = family;
    return question;
}

static void question_free(struct question *question)
{
    if (question->abandoned)
        atomic_fetch_sub(&abandoned_questions, 1);
    sys.close(question->bell);
    address_list_free(&question->list);
    sys.free(question);
}

static void let_go(struct question *question)
{
    if (atomic_fetch_sub(&question->holders, 1) == 1)
        question_free(question);
}

static void *ask(void *argument)
{
    struct question *question = argument;

    question->status = resolve(&question->endpoint, question->family, false, &question->list);
    if (question->status != 0) {
        /* The sentence is this thread's; the one who waits cannot see it. */
        snprintf(question->sentence, sizeof question->sentence, "%s", parley_error());
    }
    atomic_store(&question->answered, true);
    eventfd_write(question->bell, 1);
    let_go(question);
    return NULL;
}

/* Detached, since nobody joins what may never end, and deaf to signals, which are the program's. */
static int start_asking(struct question *question)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int error = pthread_attr_init(&attributes);

    if (error != 0)
        return error;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = sys.pthread_create(&thread, &attributes, ask, question);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

static int take_answer(struct question *question, struct address_list *list)
{
    int status = question->status;

    if (status != 0) {
        fail(status, "%s", question->sentence);
    } else {
        *list = question->list;
        question->list = (struct address_list){0};
    }
    let_go(question);
    return status;
}

static int await_answer(struct question *question, const struct patience *patience, struct address_list *list)
{
    struct pollfd fds[2] = {[1] = {.fd = question->bell, .events = POLLIN}};
    enum waited waited;
    int status;

    do {
        waited = patience_wait(patience, fds, 2, INT64_MAX);
        if (atomic_load(&question->answered))
            return take_answer(question, list);
    } while (waited == WAITED_READY);
    status = fail_impatient(patience, waited, "resolve", question->endpoint.host);
    question->abandoned = true;
    atomic_fetch_add(&abandoned_questions, 1);
    let_go(question);
    return status;
}

static int lookup_in_thread(const struct endpoint *endpoint, int family, const struct patience *patience,
                            struct address_list *list)
{
    struct question *question;
    int error;

    if (atomic_load(&abandoned_questions) >= ABANDONED_MAX) {
        return fail(PARLEY_RESOURCE, "resolve %s: %d earlier look-ups are still without an answer",
                    endpoint->host, (int)ABANDONED_MAX);
    }
    question = question_new(endpoint, family);
    if (question == NULL)
        return fail_call("resolve", endpoint->host, errno);
    error = start_asking(question);
    if (error != 0) {
        question_free(question);
        return fail_call("pthread_create", NULL, error);
    }
    return await_answer(question, patience, list);
}

int lookup(const struct endpoint *endpoint, int family, const struct patience *patience,
           struct address_list *list)
{
    bool hurried = patience->deadline != INT64_MAX || patience->cancel >= 0;

    *list = (struct address_list){0};
    if (hurried && endpoint_needs_lookup(endpoint))
        return lookup_in_thread(endpoint, family, patience, list);
    return resolve(endpoint, family, false, list);
}
