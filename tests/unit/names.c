#include "names.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool holding;

void names_hold(void)
{
    pthread_mutex_lock(&lock);
    holding = true;
    pthread_mutex_unlock(&lock);
}

void names_release(void)
{
    pthread_mutex_lock(&lock);
    holding = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for_release(void)
{
    pthread_mutex_lock(&lock);
    while (holding)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int real(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*function)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

    memcpy(&function, &symbol, sizeof function);
    return function(host, port, hints, found);
}

/* Adds what the C library makes of a number to the end of the list; of the wrong family it is left out. */
static void add(const char *number, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    struct addrinfo **end = found;

    while (*end != NULL)
        end = &(*end)->ai_next;
    if (real(number, port, hints, end) != 0)
        *end = NULL;
}

static int answer(const char *const *numbers, const char *port, const struct addrinfo *hints,
                  struct addrinfo **found)
{
    *found = NULL;
    for (; *numbers != NULL; numbers++)
        add(*numbers, port, hints, found);
    return *found != NULL ? 0 : EAI_ADDRFAMILY;
}

static int answer_many(const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    char number[32];

    *found = NULL;
    for (int i = 1; i < 1000; i++) {
        snprintf(number, sizeof number, "127.1.%d.%d", i / 256, i % 256);
        add(number, port, hints, found);
    }
    add("127.0.0.1", port, hints, found);
    return 0;
}

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    static const char *const mixed[] = {"192.0.2.1",   "192.0.2.2", "192.0.2.1",
                                        "2001:db8::1", "192.0.2.3", NULL};
    static const char *const four[] = {"127.0.0.1", NULL};
    static const char *const both[] = {"::1", "127.0.0.1", NULL};

    if (host == NULL || strstr(host, ".test") == NULL)
        return real(host, port, hints, found);
    if (strcmp(host, "hang.test") == 0) {
        wait_for_release();
        return answer(four, port, hints, found);
    }
    if (strcmp(host, "mixed.test") == 0)
        return answer(mixed, port, hints, found);
    if (strcmp(host, "both.test") == 0)
        return answer(both, port, hints, found);
    if (strcmp(host, "four.test") == 0)
        return answer(four, port, hints, found);
    if (strcmp(host, "many.test") == 0)
        return answer_many(port, hints, found);
    if (strcmp(host, "again.test") == 0)
        return EAI_AGAIN;
    return strcmp(host, "broken.test") == 0 ? EAI_FAIL : EAI_NONAME;
}
