/* The smallest client: dial, write, read, hang up, one call after another.
 *
 *     cc stream_client.c $(pkg-config --cflags --libs parley) -o stream_client
 *     ./stream_client localhost:3000 helloworld
 *
 * A parley_stream blocks, so it needs no callbacks; a name with several addresses is tried at all of
 * them, and every write is whole. */
#include <parley.h>
#include <stdio.h>
#include <string.h>

static int talk(parley_stream *stream, const char *text)
{
    char bytes[4096];
    ssize_t size;
    int status = parley_stream_write(stream, text, strlen(text));

    if (status == PARLEY_OK)
        status = parley_stream_half_close(stream); /* "that was all": the server sees the end of its input */
    if (status != PARLEY_OK)
        return status;
    /* One read is seldom the whole answer: read until the server has finished too. */
    while ((size = parley_stream_read(stream, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, (size_t)size, stdout);
    return (int)size; /* 0: the end; below: a parley_status */
}

int main(int count, char **words)
{
    parley_stream *stream = parley_stream_dial(count > 1 ? words[1] : "127.0.0.1:3000", 5000);

    if (stream == NULL) {
        fprintf(stderr, "stream_client: %s\n", parley_error());
        return 1;
    }
    parley_stream_set_timeout(stream, 10000); /* from here on no call waits longer than 10 s */

    int status = talk(stream, count > 2 ? words[2] : "helloworld");
    if (status < 0)
        fprintf(stderr, "stream_client: %s\n", parley_error());
    parley_stream_hang_up(stream);
    return parley_exit_code(status);
}
