/* A closed-loop TLS client, as plain as OpenSSL allows: blocking, in one thread.
 *
 * pingpong   a message on each connection, then all the answers; again
 * handshake  connect, a full handshake, one exchange, close; again
 * resume     the same with the session of the one before
 * new, reuse connect, a full or a resumed handshake of TLS 1.2, close without a word: what `openssl s_time`
 * does
 *
 * It speaks to who started it as generator.c does with --marks: `ready`, then a run and its result for each
 * line. */
#include "histogram.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { PINGPONG, HANDSHAKE, RESUME, NEW, REUSE };

#define CIPHER "ECDHE-ECDSA-AES256-GCM-SHA384" /* of new and reuse */

struct client {
    enum mode mode;
    int port;
    unsigned count;
    size_t size;
    double seconds;
    SSL_CTX *context;
    SSL **connections;
    SSL_SESSION *session; /* to be resumed */
    char *message, *answer;
    uint64_t messages, errors;
    struct histogram latencies;
};

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Each connection from another address of 127/8, since a closed pair of addresses waits a minute. */
static int tcp_connect(int port)
{
    static uint32_t turn;
    const int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(0x7f010101 + turn++ % 0x00fe0000)};
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons((unsigned short)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&source, sizeof source) == 0 &&
        connect(fd, (struct sockaddr *)&server, sizeof server) == 0)
        return fd;
    close(fd);
    return -1;
}

static SSL *tls_connect(const struct client *client)
{
    int fd = tcp_connect(client->port);
    SSL *ssl = fd < 0 ? NULL : SSL_new(client->context);
    if (!ssl)
        return NULL;
    SSL_set_fd(ssl, fd);
    if (client->session)
        SSL_set_session(ssl, client->session);
    if (SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void tls_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    close(fd);
}

static bool ask(const struct client *client, SSL *ssl)
{
    return SSL_write(ssl, client->message, (int)client->size) == (int)client->size;
}

/* The length is compared, and the content where the server gives back what it got. */
static bool hear(const struct client *client, SSL *ssl)
{
    size_t got = 0;
    while (got < client->size) {
        int size = SSL_read(ssl, client->answer + got, (int)(client->size - got));
        if (size <= 0)
            return false;
        got += (size_t)size;
    }
    return client->mode != PINGPONG || memcmp(client->message, client->answer, client->size) == 0;
}

static void count(struct client *client, bool right, uint64_t started)
{
    client->messages += right;
    client->errors += !right;
    if (right)
        histogram_add(&client->latencies, now() - started);
}

static void round_of_messages(struct client *client)
{
    uint64_t started = now();
    for (unsigned i = 0; i < client->count; i++)
        if (!ask(client, client->connections[i]))
            client->errors++;
    for (unsigned i = 0; i < client->count; i++)
        count(client, hear(client, client->connections[i]), started);
}

/* The session is taken after the answer: under TLS 1.3 it comes behind the handshake. */
static void keep_session(struct client *client, SSL *ssl)
{
    SSL_SESSION_free(client->session);
    client->session = SSL_get1_session(ssl);
}

static void one_handshake(struct client *client)
{
    uint64_t started = now();
    bool resumes = client->session != NULL;
    SSL *ssl = tls_connect(client);
    bool right = ssl && SSL_session_reused(ssl) == resumes;
    if (right && client->mode < NEW)
        right = ask(client, ssl) && hear(client, ssl);
    count(client, right, started);
    if (right && (client->mode == RESUME || client->mode == REUSE))
        keep_session(client, ssl);
    if (ssl)
        tls_close(ssl);
}

static void run(struct client *client, double seconds)
{
    uint64_t end = now() + (uint64_t)(seconds * 1e9);
    while (now() < end && client->errors == 0)
        if (client->mode == PINGPONG)
            round_of_messages(client);
        else
            one_handshake(client);
}

static void forget(struct client *client)
{
    client->messages = 0;
    memset(&client->latencies, 0, sizeof client->latencies);
}

static void tell(struct client *client, double seconds)
{
    printf("messages=%llu errors=%llu rate=%.1f p50_us=%.2f p99_us=%.2f\n",
           (unsigned long long)client->messages, (unsigned long long)client->errors,
           (double)client->messages / seconds, (double)histogram_quantile(&client->latencies, 0.50) / 1000,
           (double)histogram_quantile(&client->latencies, 0.99) / 1000);
    fflush(stdout);
    forget(client);
}

static bool wait_for_line(void)
{
    int letter = 0;
    while (letter != '\n' && letter != EOF)
        letter = getchar();
    return letter != EOF;
}

static bool open_all(struct client *client)
{
    client->context = SSL_CTX_new(TLS_client_method());
    client->message = malloc(client->size);
    client->answer = malloc(client->size);
    client->connections = calloc(client->count, sizeof(SSL *));
    if (!client->context || !client->message || !client->answer || !client->connections)
        return false;
    if (client->mode >= NEW) {
        SSL_CTX_set_max_proto_version(client->context, TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(client->context, CIPHER);
        SSL_CTX_set_quiet_shutdown(client->context, 1);
    }
    memset(client->message, 'm', client->size);
    client->message[client->size - 1] = '\n'; /* for those who answer lines */
    for (unsigned i = 0; client->mode == PINGPONG && i < client->count; i++)
        if (!(client->connections[i] = tls_connect(client)))
            return false;
    return true;
}

static enum mode mode_of(const char *name)
{
    static const char *const names[] = {
        [HANDSHAKE] = "handshake", [RESUME] = "resume", [NEW] = "new", [REUSE] = "reuse"};
    for (int mode = HANDSHAKE; mode <= REUSE; mode++)
        if (strcmp(name, names[mode]) == 0)
            return (enum mode)mode;
    return PINGPONG;
}

static struct client parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'},        {"mode", 1, NULL, 'm'},    {"size", 1, NULL, 's'},
        {"connections", 1, NULL, 'c'}, {"seconds", 1, NULL, 't'}, {"warmup", 1, NULL, 'w'},
        {"depth", 1, NULL, 'd'},       {"marks", 0, NULL, 'M'},   {NULL, 0, NULL, 0}};
    struct client client = {.count = 50, .size = 64, .seconds = 1};
    for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (letter) {
        case 'p': client.port = atoi(optarg); break;
        case 'm': client.mode = mode_of(optarg); break;
        case 's': client.size = (size_t)atol(optarg); break;
        case 'c': client.count = (unsigned)atoi(optarg); break;
        case 't': client.seconds = atof(optarg); break;
        case '?': exit(2);
        default: break; /* of the other generator */
        }
    return client;
}

int main(int argc, char **argv)
{
    struct client client = parse(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (client.size == 0 || client.count == 0 || client.port <= 0 || !open_all(&client))
        return 1;
    run(&client, 0.05);
    forget(&client);
    puts("ready");
    fflush(stdout);
    while (wait_for_line()) {
        uint64_t started = now();
        run(&client, client.seconds);
        tell(&client, (double)(now() - started) / 1e9);
    }
    return client.errors > 0 ? 3 : 0;
}
