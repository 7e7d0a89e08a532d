#include "exec/words.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIPE = 64 << 10 /* bytes that a pipe holds */ };

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

/* As read(2). */
static ssize_t read_piece(struct words *words, int fd, struct log *log, const char *peer, pid_t pid)
{
    char bytes[4096];
    const ssize_t size = read(fd, bytes, sizeof bytes);

    if (size > 0)
        take(words, bytes, (size_t)size, log, peer, pid);
    return size;
}

static bool is_open(ssize_t size)
{
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

bool words_read(struct words *words, int fd, struct log *log, const char *peer, pid_t pid)
{
    return is_open(read_piece(words, fd, log, peer, pid));
}

bool words_read_all(struct words *words, int fd, struct log *log, const char *peer, pid_t pid)
{
    ssize_t total = 0, size;

    do
        total += size = read_piece(words, fd, log, peer, pid);
    while (size > 0 && total < PIPE);
    return is_open(size);
}
