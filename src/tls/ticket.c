#include "tls/ticket.h"
#include "base/error.h"
#include "base/sys.h"
#include "tls/inside.h"
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/mman.h>

enum { NO_EPOCH = -2 }; /* none follows it */

struct tickets *tickets_new(void)
{
    pthread_mutexattr_t attributes;
    struct tickets *tickets =
        mmap(NULL, sizeof *tickets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tickets == MAP_FAILED) {
        fail_call("mmap", NULL, errno);
        return NULL;
    }
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&tickets->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    tickets->epoch = NO_EPOCH;
    return tickets;
}

void tickets_free(struct tickets *tickets)
{
    if (!tickets)
        return;
    pthread_mutex_destroy(&tickets->lock);
    OPENSSL_cleanse(tickets, sizeof *tickets);
    munmap(tickets, sizeof *tickets);
}

/* ---- the epochs ---- */

static int make(struct ticket_key *key)
{
    return RAND_bytes((unsigned char *)key, sizeof *key) == 1 ? 0 : -1;
}

/* Where no epoch went before, its key is one that nobody was ever given: it opens nothing. */
static int turn_over(struct tickets *tickets)
{
    int64_t epoch = sys.now() / 1000 / TICKET_EPOCH;
    struct ticket_key fresh, before = tickets->now;
    if (epoch == tickets->epoch)
        return 0;
    int status = make(&fresh);
    if (status == 0 && epoch != tickets->epoch + 1)
        status = make(&before);
    if (status == 0) {
        tickets->before = before;
        tickets->now = fresh;
        tickets->epoch = epoch;
    }
    OPENSSL_cleanse(&fresh, sizeof fresh);
    OPENSSL_cleanse(&before, sizeof before);
    return status;
}

/* What a worker left half done when it was killed is good for nothing. */
static void lock(struct tickets *tickets)
{
    if (pthread_mutex_lock(&tickets->lock) != EOWNERDEAD)
        return;
    tickets->epoch = NO_EPOCH;
    pthread_mutex_consistent(&tickets->lock);
}

/* Copies of this epoch's and the one before. */
static int look_up(struct tickets *tickets, struct ticket_key *now, struct ticket_key *before)
{
    lock(tickets);
    int status = turn_over(tickets);
    *now = tickets->now;
    *before = tickets->before;
    pthread_mutex_unlock(&tickets->lock);
    return status;
}

/* ---- sealing and opening ---- */

static bool has_name(const struct ticket_key *key, const unsigned char *name)
{
    return memcmp(key->name, name, sizeof key->name) == 0;
}

static bool use(struct ticket_key *key, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                int seals)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seals) == 1 &&
           EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

enum { FAILED = -1, UNKNOWN, KNOWN, TO_BE_RENEWED };

static int seal(struct ticket_key *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                EVP_MAC_CTX *mac)
{
    memcpy(name, key->name, sizeof key->name);
    return RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 && use(key, iv, cipher, mac, 1)
               ? KNOWN
               : FAILED;
}

/* OpenSSL asks for the key to a ticket's name, or for one to seal a new ticket with. Under TLS 1.3 a client
 * uses none twice, lest those who watch know it again (RFC 8446 C.4): it is always given another. */
static int find_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int seals)
{
    struct ticket_key now, before;
    int known = SSL_version(ssl) < TLS1_3_VERSION ? KNOWN : TO_BE_RENEWED;
    int found = look_up(session_of(ssl)->keep->tickets, &now, &before);
    if (found == 0 && seals)
        found = seal(&now, name, iv, cipher, mac);
    else if (found == 0 && has_name(&now, name))
        found = use(&now, iv, cipher, mac, 0) ? known : FAILED;
    else if (found == 0 && has_name(&before, name))
        found = use(&before, iv, cipher, mac, 0) ? TO_BE_RENEWED : FAILED;
    OPENSSL_cleanse(&now, sizeof now);
    OPENSSL_cleanse(&before, sizeof before);
    return found;
}

void tickets_use(SSL_CTX *context)
{
    SSL_CTX_set_timeout(context, TICKET_EPOCH);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, find_key);
}
