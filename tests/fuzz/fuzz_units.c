/* Any text is either refused and changes nothing, or means the same number each time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <parley.h>

#include "base/units.h"

static void check(int status, bool unchanged)
{
    if (status != 0 && (status != PARLEY_USAGE || !unchanged || parley_error()[0] == '\0'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t mark = 0x5a5a5a5a5a5a5a5a;
    uint64_t bytes = mark, count = mark;
    int64_t ms = -1, ns = -1;
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    text[size] = '\0';
    check(parse_time(text, &ms), ms == -1);
    check(parse_nanoseconds(text, &ns), ns == -1);
    check(parse_size(text, &bytes), bytes == mark);
    check(parse_count(text, &count), count == mark);
    if (ms < -1 || ms > INT64_MAX / 2 || ns < -1)
        abort();
    free(text);
    return 0;
}
