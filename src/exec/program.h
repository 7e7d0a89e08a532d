/* What `serve exec` runs for each connection; constant once the server runs. */
#ifndef EXEC_PROGRAM_H
#define EXEC_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "option/option.h"
#include "sandbox/identity.h"

enum { MOST_LIMITS = 16 };

struct limit {
    int resource; /* RLIMIT_… */
    struct rlimit value;
};

struct program {
    const char **words;       /* its name and arguments; the last is NULL */
    char *path;               /* of the file */
    char **environment;       /* what every child has; the last is NULL */
    size_t environment_count; /* of these */
    struct limit limits[MOST_LIMITS];
    size_t limit_count;
    bool has_identity; /* --as */
    struct identity identity;
    int64_t grace;         /* ms between SIGTERM and SIGKILL */
    bool is_limited;       /* --max-children: no more than there are places */
    bool errors_to_client; /* descriptor 2 is the connection too */
    bool has_terminal;     /* --pty */
    bool gains_privileges; /* --new-privileges */
    struct place *places;  /* shared by all processes of the server */
    unsigned place_count;
};

/* Reads the options of `serve exec` and finds the program. `words` is what stands behind "--", NULL at the
 * end. 0, or the exit code after a complaint; program_free() either way. */
int program_read(struct program *program, const struct arguments *arguments, const char *const *words);
void program_free(struct program *program);
/* Whether it can run under the model and options that are set: 0, or the exit code after a complaint. */
int program_check(const struct program *program, const struct arguments *arguments,
                  const parley_server *server);

#endif
