#include "tls/alpn.h"
#include "base/error.h"
#include <string.h>

int alpn_parse(struct alpn *alpn, const char *option, const char *text)
{
    alpn->size = 0;
    for (const char *name = text, *end; name; name = *end ? end + 1 : NULL) {
        end = strchrnul(name, ',');
        size_t size = (size_t)(end - name);
        if (size == 0 || size > 255)
            return fail(PARLEY_USAGE, "%s '%s': names of 1 to 255 bytes, separated by commas (h2,http/1.1)",
                        option, text);
        if (size + 1 > sizeof alpn->names - alpn->size)
            return fail(PARLEY_USAGE, "%s: the names are longer than %zu bytes together", option,
                        sizeof alpn->names);
        alpn->names[alpn->size] = (unsigned char)size;
        memcpy(alpn->names + alpn->size + 1, name, size);
        alpn->size += (unsigned)size + 1;
    }
    return 0;
}
