#include <string.h>

#include "sandbox/needs.h"
#include "service/service.h"

const struct service services[] = {
    {&hangup_handler, "accepts and hangs up at once", NULL, 0},
    {&echo_handler, "sends back what it receives", &echo_group, 0},
    {&upper_handler, "sends it back with a-z as A-Z; a line \"end\" ends the conversation", NULL, 0},
    {&greet_handler, "reads the first message, answers with its own, and closes", &greet_group, 0},
    {&discard_handler, "reads and forgets (RFC 863)", NULL, 0},
    {&exec_handler, "runs a program for each connection: parley serve exec 3000 -- PROGRAM ARGS...",
     &exec_group, CONFINE_PROGRAMS},
    {&relay_handler, "forwards each connection: parley serve relay 3000 --to HOST:PORT", &relay_group,
     CONFINE_DIALS},
    {&chargen_handler, "sends a pattern of characters without end (RFC 864)", NULL, 0},
    {NULL, NULL, NULL, 0},
};

const struct service *service_named(const char *name)
{
    for (const struct service *service = services; service->handler; service++)
        if (strcmp(service->handler->name, name) == 0)
            return service;
    return NULL;
}

const char *service_word(size_t index, const char **help)
{
    *help = services[index].help;
    return services[index].handler ? services[index].handler->name : NULL;
}
