#include "engine/proxied.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/sys.h"
#include "engine/cover.h"
#include "engine/loop.h"
#include "engine/server.h"
#include <string.h>

/* Its bytes, and whose they are: the peer's real address. */
struct header {
    struct sockaddr_in6 via; /* or what a smaller one needs of it */
    bool is_whole;
    unsigned short size;
    unsigned char bytes[];
};

static struct proxied *proxied_of(const parley_conn *conn)
{
    return &conn_cover(conn)->proxied;
}

/* ---- reading it ----------------------------------------------------------------------------- */

bool proxied_expects(const struct options *options, const struct sockaddr *peer)
{
    return network_list_find(&options->proxy_from, peer) != NULL;
}

bool proxied_begin(parley_conn *conn)
{
    const struct options *options = conn_options(conn);
    if (conn->dialled || options->proxy_from.count == 0)
        return false;
    struct sockaddr_storage peer;
    conn_peer(conn, &peer);
    bool expects = proxied_expects(options, (const struct sockaddr *)&peer);
    proxied_of(conn)->is_wary = !expects;
    return expects;
}

/* NULL without memory: what there was stays. */
static struct header *resize(struct proxied *proxied, size_t size)
{
    struct header *header = sys.realloc(proxied->header, sizeof *header + size);
    if (!header)
        return NULL;
    if (!proxied->header)
        *header = (struct header){0};
    return proxied->header = header;
}

/* The client speaks through the proxy: its address is the connection's from here on. */
static int believe(parley_conn *conn, const struct address *client, size_t size)
{
    struct proxied *proxied = proxied_of(conn);
    struct header *header = resize(proxied, size); /* smaller: what came with it is not its own */
    struct sockaddr_storage via;
    header = header ? header : proxied->header;
    conn_peer(conn, &via);
    header->is_whole = true;
    header->size = (unsigned short)size;
    memcpy(&header->via, &via, sizeof header->via);
    if (conn_set_peer(conn, (const struct sockaddr *)&client->storage) < 0)
        return fail(PARLEY_RESOURCE, "no memory for the address of a client");
    return 0;
}

ssize_t proxied_received(parley_conn *conn, const void *bytes, size_t size)
{
    struct proxied *proxied = proxied_of(conn);
    struct proxy_header said;
    size_t before = proxied->header ? proxied->header->size : 0;
    size_t more = size < PROXY_LONGEST - before ? size : PROXY_LONGEST - before;
    struct header *header = resize(proxied, before + more);
    if (!header)
        return fail(PARLEY_RESOURCE, "no memory for a PROXY header");
    memcpy(header->bytes + before, bytes, more);
    header->size = (unsigned short)(before + more);
    ssize_t length = proxy_read(header->bytes, header->size, &said);
    if (length <= 0)
        return length;
    int status = said.kind == PROXY_GIVEN ? believe(conn, &said.source, (size_t)length) : 0;
    if (said.kind != PROXY_GIVEN)
        proxied_free(conn);
    return status < 0 ? status : length - (ssize_t)before;
}

int proxied_ended(const parley_conn *conn)
{
    return fail(PARLEY_NETWORK, "it ended %s its PROXY header",
                proxied_of(conn)->header ? "in the middle of" : "before");
}

void proxied_free(parley_conn *conn)
{
    struct proxied *proxied = proxied_of(conn);
    sys.free(proxied->header);
    proxied->header = NULL;
}

/* ---- who may send none ---------------------------------------------------------------------- */

int proxied_check(parley_conn *conn, const void *bytes, size_t size)
{
    struct proxied *proxied = proxied_of(conn);
    if (!proxied->is_wary)
        return 0;
    size_t room = sizeof proxied->start - proxied->seen, more = size < room ? size : room;
    memcpy(proxied->start + proxied->seen, bytes, more);
    proxied->seen += (unsigned char)more;
    int verdict = proxy_begins(proxied->start, proxied->seen);
    proxied->is_wary = verdict == 0;
    return verdict > 0 ? fail(PARLEY_NETWORK, "it sent a PROXY header, and proxy-from does not name it") : 0;
}

/* ---- what it said --------------------------------------------------------------------------- */

static const struct header *whole_header(const parley_conn *conn)
{
    const struct header *header = conn->covered ? proxied_of(conn)->header : NULL;
    return header && header->is_whole ? header : NULL;
}

bool proxied_header(const parley_conn *conn, struct proxy_header *header)
{
    const struct header *whole = whole_header(conn);
    return whole && proxy_read(whole->bytes, whole->size, header) > 0;
}

/* An unverified certificate says nothing about who showed it. */
static struct proxy_text fact_of(const struct proxy_header *header, const char *what)
{
    const struct proxy_tls *tls = &header->tls;
    if (strcmp(what, "protocol") == 0)
        return tls->version;
    if (strcmp(what, "cipher") == 0)
        return tls->cipher;
    if (strcmp(what, "server-name") == 0)
        return header->authority;
    if (strcmp(what, "peer-cn") == 0 && tls->verified)
        return tls->common_name;
    if (strcmp(what, "verified") == 0 && tls->verified)
        return (struct proxy_text){"by the proxy", strlen("by the proxy")};
    return (struct proxy_text){0};
}

const char *proxied_tls(const parley_conn *conn, const char *what)
{
    static _Thread_local char text[1024]; /* a name of 255 bytes, each of them escaped */
    struct proxy_header header;
    if (!proxied_header(conn, &header) || !header.tls.given)
        return NULL;
    struct proxy_text fact = fact_of(&header, what);
    escape_name(text, sizeof text, fact.bytes, fact.size);
    return text;
}

const char *parley_via(const parley_conn *conn)
{
    static _Thread_local char text[ADDRESS_TEXT];
    struct sockaddr_storage via = {0};
    const struct header *header = whole_header(conn);
    if (!header)
        return "";
    memcpy(&via, &header->via, sizeof header->via);
    return conn_address_text(conn, &via, via.ss_family == AF_UNIX ? sizeof via.ss_family : sizeof header->via,
                             text);
}
