/* Whatever is typed as an address: a sentence or an endpoint that fits, and never a shortened one. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct endpoint *endpoint, const char *text)
{
    assert(memchr(endpoint->host, '\0', sizeof endpoint->host) != NULL);
    assert(memchr(endpoint->port, '\0', sizeof endpoint->port) != NULL);
    assert(memchr(endpoint->path, '\0', sizeof endpoint->path) != NULL);
    /* Each part stands in the text as it is: nothing was cut out of its middle or made up. */
    assert(strstr(text, endpoint->host) != NULL);
    assert(strstr(text, endpoint->port) != NULL);
    assert(strstr(text, endpoint->path) != NULL);
    if (endpoint->kind == ENDPOINT_INET) {
        size_t length = strlen(text);
        size_t port = strlen(endpoint->port);
        assert(port > 0 && endpoint->path[0] == '\0');
        assert(strcmp(text + length - port, endpoint->port) == 0);
        assert(strlen(endpoint->host) <= 254);
    } else {
        assert(endpoint->path[0] != '\0' && strlen(endpoint->path) <= 107);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct endpoint endpoint;
    char *text = malloc(size + 1);
    int status;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    status = endpoint_parse(&endpoint, text);
    if (status == 0)
        check(&endpoint, text);
    else
        assert(status == PARLEY_USAGE && strchr(parley_error(), '\n') == NULL);
    free(text);
    return 0;
}
