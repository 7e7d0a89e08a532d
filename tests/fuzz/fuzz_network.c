/* Whatever is typed as networks: a sentence and an untouched list, or networks that read back as themselves.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/network.h"
#include <parley.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct network *network)
{
    struct network again;
    char text[NETWORK_TEXT];

    assert(network_parse(&again, network_text(network, text)) == 0);
    assert(memcmp(&again, network, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct network_list list = {0};
    char *text = malloc(size + 1);

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (network_list_add(&list, text) == 0)
        assert(list.count > 0);
    else
        assert(list.count == 0 && strchr(parley_error(), '\n') == NULL);
    for (size_t i = 0; i < list.count; i++)
        check(&list.items[i]);
    network_list_free(&list);
    free(text);
    return 0;
}
