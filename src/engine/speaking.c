#include "engine/speaking.h"
#include "base/error.h"
#include "engine/loop.h"
#include "engine/proxied.h"
#include "engine/server.h"
#include <string.h>

static struct proxy_text text_of(const char *text)
{
    return (struct proxy_text){text, text ? strlen(text) : 0};
}

/* A fact of TLS, in memory of its own, since the next one takes its place. */
enum { FACT = 512 };
struct facts {
    char version[FACT], cipher[FACT], common_name[FACT], authority[FACT];
};

static struct proxy_text keep(char room[FACT], const parley_conn *conn, const char *what)
{
    const char *fact = parley_tls(conn, what);
    size_t size = strnlen(fact, FACT - 1);
    memcpy(room, fact, size);
    room[size] = '\0';
    return text_of(room);
}

/* What we know of a client's TLS, ended here or by a proxy before us. */
static void describe_tls(struct proxy_header *header, struct facts *facts, const parley_conn *client)
{
    if (!parley_tls(client, "protocol"))
        return;
    header->tls = (struct proxy_tls){.given = true,
                                     .verified = *parley_tls(client, "verified") != '\0',
                                     .version = keep(facts->version, client, "protocol"),
                                     .cipher = keep(facts->cipher, client, "cipher"),
                                     .common_name = keep(facts->common_name, client, "peer-cn")};
    header->authority = keep(facts->authority, client, "server-name");
}

static void describe(struct proxy_header *header, struct facts *facts, const parley_conn *client)
{
    if (proxied_header(client, header))
        return; /* as it was told to us */
    proxy_of_socket(header, client->fd);
    if (client->dialled)
        return;
    struct address local = header->source;
    header->source = header->destination;
    header->destination = local;
    describe_tls(header, facts, client);
}

/* --proxy-source: the client that is to be named. Without a port it has the connection's, so that many of one
 * source can be told apart. */
static void set_source(struct proxy_header *header, const struct address *source)
{
    in_port_t port = htons((uint16_t)address_port((const struct sockaddr *)&header->source.storage));
    struct sockaddr_in inet;
    if (source->length == 0)
        return;
    header->source = *source;
    if (address_port((const struct sockaddr *)&source->storage) > 0 || source->storage.ss_family == AF_UNIX)
        return;
    memcpy(&inet, &header->source.storage, sizeof inet); /* IPv6 has its port in the same place */
    inet.sin_port = port;
    memcpy(&header->source.storage, &inet, sizeof inet);
}

void speak_for(parley_conn *conn, const parley_conn *client)
{
    const struct options *options = &conn->loop->server->options;
    struct proxy_header header;
    struct facts facts;
    unsigned char bytes[PROXY_ROOM];
    if (!options->proxy_send)
        return;
    describe(&header, &facts, client ? client : conn);
    set_source(&header, &options->proxy_source);
    ssize_t size = proxy_write(bytes, options->proxy_send, &header);
    if (size < 0 || conn_put(conn, bytes, (size_t)size) < 0)
        conn_die(conn, PARLEY_FAILED);
}
