#include "tls/bio.h"
#include <pthread.h>
#include <string.h>

/* Reads what has come. Nothing left is no end, but a reason to come back: the end of the wire is known to
 * the connection, not to OpenSSL. */
static int read_wire(BIO *bio, char *bytes, size_t room, size_t *size)
{
    struct tls_wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (wire->cut)
        return -1;
    if (wire->lent_size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    *size = room < wire->lent_size ? room : wire->lent_size;
    memcpy(bytes, wire->lent, *size);
    wire->lent += *size;
    wire->lent_size -= *size;
    return 1;
}

/* Goes out at once or is queued, whole, so OpenSSL never has to come back for the rest of a record. */
static int write_wire(BIO *bio, const char *bytes, size_t size, size_t *written)
{
    struct tls_wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (wire->put(wire->owner, bytes, size) < 0)
        return -1;
    *written = size;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static int create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *method;

static void make_method(void)
{
    int kind = BIO_get_new_index();
    BIO_METHOD *made = kind < 0 ? NULL : BIO_meth_new(kind | BIO_TYPE_SOURCE_SINK, "parley");
    if (!made)
        return;
    BIO_meth_set_create(made, create);
    BIO_meth_set_ctrl(made, control);
    BIO_meth_set_read_ex(made, read_wire);
    BIO_meth_set_write_ex(made, write_wire);
    method = made;
}

BIO *bio_over(struct tls_wire *wire)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (bio)
        BIO_set_data(bio, wire);
    return bio;
}
