#include "captured.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

void capture_stderr(struct captured *captured)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    captured->saved = dup(STDERR_FILENO);
    captured->reader = ends[0];
    assert_true(captured->saved >= 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    assert_int_equal(fcntl(captured->reader, F_SETFL, O_NONBLOCK), 0);
}

void read_captured(const struct captured *captured, char *text, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while (used < size - 1 && (got = read(captured->reader, text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
}

void release_stderr(struct captured *captured)
{
    dup2(captured->saved, STDERR_FILENO);
    close(captured->saved);
    if (captured->reader >= 0)
        close(captured->reader);
}
