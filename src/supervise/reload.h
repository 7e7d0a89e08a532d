/* What a server reads from files and can read again while it runs: lists of who may come, certificates.
 *
 * A reading is whole or it is not taken: one that fails leaves the one before in use, and says so in the log.
 * Loops hold on to a reading while they use it, and the last of them to let go frees it; so nobody waits, and
 * nothing is freed under a reader's feet. A loop notices a newer one when it next asks for the latest.
 *
 * SIGHUP reads everything again: in the supervisor, for all threads, and if that went well in each worker
 * process, which has its own memory. */
#ifndef SUPERVISE_RELOAD_H
#define SUPERVISE_RELOAD_H

#include <parley.h>
#include <stdatomic.h>

struct log;

/* One reading. Stands first in what was read. */
struct reading {
    atomic_uint holders;
    void (*free)(struct reading *reading);
};

/* What can be read again; lives as long as its server. */
struct reloadable {
    struct reloadable *next; /* server->reloadables */
    const char *what;        /* "the access lists": for the log */
    /* Reads all of it into `*reading`, and sets its `free`: 0, or a parley_status with its sentence. Called
     * in one thread at a time. */
    int (*read)(parley_server *server, struct reloadable *reloadable, struct reading **reading);
    struct reading *latest; /* under server->lock */
    atomic_uint number;     /* of the latest, from 1 on */
};

/* The reading that a loop uses. All zero: none yet. */
struct held {
    struct reading *reading;
    unsigned number;
};

/* Makes it known to SIGHUP; once, before parley_run() takes the signals. */
void reload_add(parley_server *server, struct reloadable *reloadable);
/* Reads it and puts the reading in place of the one before: 0, or a parley_status; nothing has then changed.
 */
int reload_read(parley_server *server, struct reloadable *reloadable);
/* The latest reading, held until the next call with the same `held`; NULL before the first. */
struct reading *reload_latest(parley_server *server, struct reloadable *reloadable, struct held *held);
/* The loop ends. */
void reload_let_go(struct held *held);

/* SIGHUP came. The supervisor: reads everything again, and has the worker processes do so. */
void reload_all(parley_server *server);
/* The same in a worker process. */
void reload_here(parley_server *server, struct log *log);
/* Nobody asks for it any more; idempotent. */
void reload_free(struct reloadable *reloadable);
/* The server is freed: the same for all that SIGHUP reads. */
void reload_close(parley_server *server);

#endif
