/* Who may come: networks that are allowed or denied, in the order given. The first that holds the client's
 * address decides. Who is in none of them is treated opposite to the last rule: denied behind an "allow",
 * allowed behind a "deny". */
#ifndef LIMIT_ACCESS_H
#define LIMIT_ACCESS_H

#include "net/network.h"
#include "supervise/reload.h"

/* One "allow" or "deny" as it was given: networks, or "@" and the name of a file of them. */
struct access_source {
    bool allows;
    char *text;
};

struct access_sources {
    size_t count;
    struct access_source *items;
};

/* A network, and the line of the file that names it; 0: no file. */
struct access_entry {
    struct network network;
    unsigned line;
};

/* What one source says: its networks in the order of their addresses, none within another. */
struct access_rule {
    const struct access_source *source;
    size_t count;
    struct access_entry *entries;
};

/* All rules, as read at one time. */
struct access {
    struct reading reading;
    size_t count;
    struct access_rule rules[];
};

/* The rules that count for a door, and what they are read from. */
struct access_list {
    struct reloadable reloadable; /* first; no reading: anybody */
    struct access_sources sources;
};

/* Long enough for "denied by " and a network with the file and line that names it; longer is cut. */
enum { ACCESS_TEXT = 256 };

/* Adds a source, once it could be read: 0, or a parley_status with its sentence, which names file and line.
 */
int access_add(struct access_sources *sources, bool allows, const char *text);
void access_forget(struct access_sources *sources);

/* Reads the sources of all doors, and lets SIGHUP read them again: 0 or a parley_status. Before the workers
 * start. */
int access_open(parley_server *server);

/* Whether the client may come. `text` says why: "denied by 10.0.0.0/8 (deny.txt:3)". NULL allows anybody. */
bool access_allows(const struct access *access, const struct sockaddr *client, char text[ACCESS_TEXT]);

/* access_read.c: the networks of a source, sorted. 0 or a parley_status; access_rule_free() either way. */
int access_rule_read(struct access_rule *rule, const struct access_source *source);
void access_rule_free(struct access_rule *rule);

#endif
