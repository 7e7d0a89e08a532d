/* The services that `parley serve` has built in: a handler each, in a file of its own. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <parley.h>

#include "option/option.h"

struct program;

struct service {
    const parley_handler *handler; /* its name is the service's */
    const char *help;
    const struct option_group *options; /* its own; NULL: none */
    unsigned needs;                     /* of enum confine_needs, sandbox/needs.h */
};

/* What the command line asked of a service; constant once the server runs. parley_user() is this. */
struct service_settings {
    const char *message; /* greet: what it says */
    size_t message_size;
    const struct program *program; /* exec: what it runs */
    const char *target;            /* relay: whom it forwards to, --to */
    bool once;                     /* echo: one exchange a connection */
    bool framed;                   /* what is received is a whole message */
};

/* Every service; the last has no handler. */
extern const struct service services[];
/* NULL when there is none of that name. */
const struct service *service_named(const char *name);
/* The names, for struct subcommand. */
const char *service_word(size_t index, const char **help);

extern const parley_handler hangup_handler, echo_handler, upper_handler, greet_handler, discard_handler,
    exec_handler, relay_handler, chargen_handler;
extern const struct option_group echo_group, greet_group, exec_group, relay_group;

/* Whether relay can forward as the command line says: 0, or the exit code after a complaint. */
int relay_check(const struct arguments *arguments, const char *target);
/* The same once it listens: it is not to forward to itself, now or later. */
int relay_check_listening(const struct arguments *arguments, parley_server *server);

#endif
