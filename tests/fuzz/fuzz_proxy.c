/* Whatever comes where a PROXY header is expected: a sentence, a wish for more, or a header that does not
 * depend on how its bytes were split, and whose facts survive being written. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copies, so that a look behind the bytes that have come is found out. */
static ssize_t read_part(const uint8_t *data, size_t size, struct proxy_header *header)
{
    uint8_t *part = malloc(size + !size);
    ssize_t status = 0;

    if (part == NULL)
        return 0;
    memcpy(part, data, size);
    status = proxy_read(part, size, header);
    if (status < 0)
        assert(status == PARLEY_NETWORK && strchr(parley_error(), '\n') == NULL);
    free(part);
    return status;
}

static void check_parts(const uint8_t *data, size_t size, ssize_t whole)
{
    struct proxy_header header;

    for (size_t part = 0; part < size; part++) {
        ssize_t status = read_part(data, part, &header);
        if (whole > 0)
            assert(status == ((ssize_t)part < whole ? 0 : whole));
        else
            assert(status == 0 || (whole < 0 && status == whole));
    }
}

static void check_text(const struct proxy_text *text, const uint8_t *data, size_t size)
{
    if (text->size == 0)
        return;
    assert((const uint8_t *)text->bytes >= data && text->size <= size);
    assert((const uint8_t *)text->bytes + text->size <= data + size);
    assert(memchr(text->bytes, '\0', text->size) == NULL);
}

static void same_address(const struct address *one, const struct address *other)
{
    char text[ADDRESS_TEXT], again[ADDRESS_TEXT];

    address_text((const struct sockaddr *)&one->storage, one->length, text);
    address_text((const struct sockaddr *)&other->storage, other->length, again);
    assert(strcmp(text, again) == 0);
}

static void check_again(const struct proxy_header *header)
{
    unsigned char bytes[PROXY_ROOM];
    struct proxy_header again;
    ssize_t size = proxy_write(bytes, PROXY_V2, header);

    if (size == PARLEY_USAGE)
        return; /* its texts are longer than what is written */
    assert(size > 0 && proxy_read(bytes, (size_t)size, &again) == size);
    assert(again.kind == header->kind && again.tls.given == header->tls.given);
    assert(again.authority.size == header->authority.size);
    if (header->kind != PROXY_GIVEN)
        return;
    same_address(&header->source, &again.source);
    if (header->source.storage.ss_family == header->destination.storage.ss_family)
        same_address(&header->destination, &again.destination);
    size = proxy_write(bytes, PROXY_V1, header);
    assert(size > 0 && proxy_read(bytes, (size_t)size, &again) == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header;
    ssize_t whole = proxy_read(data, size, &header);

    assert(whole <= (ssize_t)size && whole <= PROXY_LONGEST);
    if (size <= 600)
        check_parts(data, size, whole);
    if (whole <= 0)
        return 0;
    check_text(&header.authority, data, size);
    check_text(&header.tls.version, data, size);
    check_text(&header.tls.cipher, data, size);
    check_text(&header.tls.common_name, data, size);
    check_again(&header);
    return 0;
}
