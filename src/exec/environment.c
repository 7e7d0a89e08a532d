#include "exec/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/places.h"
#include "net/address.h"

static void set(struct environment *environment, const char *name, const char *value)
{
    const size_t room = sizeof environment->text - environment->used;
    char *text = environment->text + environment->used;
    const int size = snprintf(text, room, "%s=%s", name, value);

    if (size < 0 || (size_t)size >= room)
        return; /* too long a value is left out, never cut */
    environment->items[environment->count++] = text;
    environment->used += (size_t)size + 1;
}

/* "127.0.0.1:3000", "[::1]:3000", "unix:/path". */
static void set_address(struct environment *environment, const char *text, const char *ip, const char *port)
{
    char host[ADDRESS_TEXT];
    const char *colon = strrchr(text, ':');
    const size_t bracket = *text == '[';

    if (!colon)
        return;
    snprintf(host, sizeof host, "%.*s", (int)((size_t)(colon - text) - 2 * bracket), text + bracket);
    set(environment, ip, host);
    set(environment, port, colon + 1);
}

static bool is_unix(const char *address)
{
    return strncmp(address, "unix", 4) == 0 || *address == '@';
}

static void set_unix(struct environment *environment, const char *local)
{
    set(environment, "PROTO", "UNIX");
    set(environment, "UNIXLOCALPATH", strncmp(local, "unix:", 5) == 0 ? local + 5 : local);
}

static void set_tcp(struct environment *environment, const struct program *program, parley_conn *conn)
{
    char count[16];

    snprintf(count, sizeof count, "%u", places_count(program, parley_peer(conn)));
    set(environment, "TCPCONNNUM", count);
    set(environment, "PROTO", "TCP");
    set_address(environment, parley_peer(conn), "TCPREMOTEIP", "TCPREMOTEPORT");
    set_address(environment, parley_peer(conn), "REMOTE_ADDR", "REMOTE_PORT");
    set_address(environment, parley_local(conn), "TCPLOCALIP", "TCPLOCALPORT");
}

/* What s6-tlsd tells; their absence says that the connection is plain. */
static void set_tls(struct environment *environment, parley_conn *conn)
{
    static const char *const names[][2] = {{"SSL_PROTOCOL", "protocol"},
                                           {"SSL_CIPHER", "cipher"},
                                           {"SSL_TLS_SNI_SERVERNAME", "server-name"},
                                           {"SSL_PEER_CERT_CN", "peer-cn"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = parley_tls(conn, names[i][1]);

        if (value && *value)
            set(environment, names[i][0], value);
    }
}

void environment_make(struct environment *environment, const struct program *program, parley_conn *conn)
{
    const size_t fixed = program->environment_count;
    const char *local = parley_local(conn);

    environment->count = environment->used = 0;
    environment->items = calloc(fixed + MOST_VARIABLES + 1, sizeof *environment->items);
    if (!environment->items)
        return;
    if (is_unix(local))
        set_unix(environment, local);
    else
        set_tcp(environment, program, conn);
    set_tls(environment, conn);
    /* A program finds the first of two: no --env hides who is calling. */
    for (size_t i = 0; i < fixed; i++)
        environment->items[environment->count++] = program->environment[i];
}

void environment_free(struct environment *environment)
{
    free(environment->items);
}
