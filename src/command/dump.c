#include "command/dump.h"

#include <time.h>

void dump_line(char line[DUMP_ROOM], uint64_t offset, const unsigned char *bytes, size_t count)
{
    int used = snprintf(line, DUMP_ROOM, "%08llx ", (unsigned long long)offset);
    char *to = line + used;
    for (size_t i = 0; i < DUMP_WIDTH; i++) {
        const char *gap = i == DUMP_WIDTH / 2 ? " " : "";
        size_t room = DUMP_ROOM - (size_t)(to - line);
        to += i < count ? snprintf(to, room, "%s %02x", gap, bytes[i]) : snprintf(to, room, "%s   ", gap);
    }
    *to++ = ' ';
    *to++ = ' ';
    *to++ = '|';
    for (size_t i = 0; i < count; i++)
        *to++ = bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
    *to++ = '|';
    *to = '\0';
}

static void dump_head(const struct dump *dump, enum dump_direction direction, const char *peer, size_t size)
{
    struct timespec now;
    struct tm day;
    char clock[16];
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &day);
    strftime(clock, sizeof clock, "%H:%M:%S", &day);
    fprintf(dump->out, "%s.%06ld %s %zu byte%s %s %s\n", clock, now.tv_nsec / 1000,
            direction == DUMP_SENT ? "sent" : "received", size, size == 1 ? "" : "s",
            direction == DUMP_SENT ? "to" : "from", peer);
}

void dump_bytes(struct dump *dump, enum dump_direction direction, const char *peer, const void *bytes,
                size_t size)
{
    if (dump->out == NULL || size == 0)
        return;
    dump_head(dump, direction, peer, size);
    const unsigned char *from = bytes;
    for (size_t done = 0; done < size; done += DUMP_WIDTH) {
        char line[DUMP_ROOM];
        size_t count = size - done < DUMP_WIDTH ? size - done : DUMP_WIDTH;
        dump_line(line, dump->passed[direction] + done, from + done, count);
        fprintf(dump->out, "  %s\n", line);
    }
    dump->passed[direction] += size;
    fflush(dump->out);
}
