#include "exec/words.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Control bytes are escaped by the log. */
static void say(struct log *log, const char *peer, pid_t pid, const char *line, size_t size)
{
    char text[4 * WORDS_LINE + 1];

    while (size > 0 && line[size - 1] == '\r')
        size--;
    log_escape(text, sizeof text, line, size);
    if (size > 0)
        log_line(log, LOG_SAID, peer, "process %d says: %s", (int)pid, text);
}

void words_end(struct words *words, struct log *log, const char *peer, pid_t pid)
{
    say(log, peer, pid, words->line, words->size);
    words->size = 0;
}

static void take(struct words *words, const char *bytes, size_t size, struct log *log, const char *peer,
                 pid_t pid)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n' || words->size == sizeof words->line)
            words_end(words, log, peer, pid);
        if (bytes[i] != '\n')
            words->line[words->size++] = bytes[i];
    }
}

bool words_read(struct words *words, int fd, size_t most, struct log *log, const char *peer, pid_t pid)
{
    char bytes[WORDS_PIECE];
    ssize_t size;

    do {
        size = read(fd, bytes, sizeof bytes);
        if (size > 0)
            take(words, bytes, (size_t)size, log, peer, pid);
        most -= sizeof bytes;
    } while (size > 0 && most > 0);
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}
