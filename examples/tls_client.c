/* A client that speaks TLS: dial, secure, ask, read the answer.
 *
 *     cc tls_client.c $(pkg-config --cflags --libs parley) -o tls_client
 *     ./tls_client example.org:443 $'GET / HTTP/1.0\r\nHost: example.org\r\n\r\n'
 *     ./tls_client localhost:3000 hello ca.pem
 *
 * The certificate must be for the name that was dialled, and lead to an authority of the system's, or to one
 * of the file. */
#include <parley.h>
#include <stdio.h>
#include <string.h>

static int ask(parley_stream *stream, const char *text, const char *authorities)
{
    const char *const options[] = {"dial-ca", authorities, NULL};
    char bytes[4096];
    ssize_t size;
    int status = parley_stream_secure(stream, authorities ? options : NULL);

    if (status == PARLEY_OK)
        status = parley_stream_write(stream, text, strlen(text));
    if (status == PARLEY_OK)
        status = parley_stream_half_close(stream);
    if (status != PARLEY_OK)
        return status;
    while ((size = parley_stream_read(stream, bytes, sizeof bytes)) > 0)
        fwrite(bytes, 1, (size_t)size, stdout);
    return (int)size; /* 0: the server said that this was all; below: it may not have been */
}

int main(int count, char **words)
{
    parley_stream *stream = parley_stream_dial(count > 1 ? words[1] : "localhost:3000", 5000);

    if (stream == NULL) {
        fprintf(stderr, "tls_client: %s\n", parley_error());
        return 1;
    }
    parley_stream_set_timeout(stream, 10000);

    int status = ask(stream, count > 2 ? words[2] : "hello", count > 3 ? words[3] : NULL);
    if (status < 0)
        fprintf(stderr, "tls_client: %s\n", parley_error());
    parley_stream_hang_up(stream);
    return parley_exit_code(status);
}
