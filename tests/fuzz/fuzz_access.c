/* Whatever stands in the file of an access list: a refusal that names the line, or networks in order. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "limit/access.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_order(const struct access_rule *rule)
{
    for (size_t i = 1; i < rule->count; i++) {
        const struct network *before = &rule->entries[i - 1].network, *network = &rule->entries[i].network;
        assert(network_compare(before, network) < 0 && !network_within(network, before));
        assert(rule->entries[i].line > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[32];
    int fd = memfd_create("list", MFD_CLOEXEC);
    struct access_source source = {.allows = true, .text = name};
    struct access_rule rule;
    int status;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    snprintf(name, sizeof name, "@/proc/self/fd/%d", fd);
    status = access_rule_read(&rule, &source);
    if (status < 0)
        assert(status == PARLEY_USAGE && strstr(parley_error(), ": ") && !strchr(parley_error(), '\n'));
    else
        check_order(&rule);
    access_rule_free(&rule);
    close(fd);
    return 0;
}
