/* The client of reqrep_server: sends each word of its command line as a request and prints the replies.
 *
 *     cc reqrep_client.c $(pkg-config --cflags --libs parley) -o reqrep_client
 *     ./reqrep_client 127.0.0.1:4000 'echo hello' count
 *
 * Framing by hand, to show what "u32be" means: four bytes of length, the highest first, then the message. */
#include <parley.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 1 << 20 };

static int send_message(parley_stream *stream, const char *text)
{
    uint32_t size = (uint32_t)strlen(text);
    unsigned char head[4] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16),
                             (unsigned char)(size >> 8), (unsigned char)size};
    int status = parley_stream_write(stream, head, sizeof head);

    return status == PARLEY_OK ? parley_stream_write(stream, text, size) : status;
}

/* The size of the reply, or -1 when the server ended, failed, or claims too much. */
static ssize_t receive_message(parley_stream *stream, char *reply)
{
    unsigned char head[4];

    if (parley_stream_read_all(stream, head, sizeof head) != sizeof head)
        return -1;
    uint32_t size = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    return size <= LONGEST && parley_stream_read_all(stream, reply, size) == (ssize_t)size ? (ssize_t)size
                                                                                           : -1;
}

int main(int count, char **words)
{
    static char reply[LONGEST];
    parley_stream *stream = parley_stream_dial(count > 1 ? words[1] : "127.0.0.1:4000", 5000);
    int code = stream != NULL ? 0 : 1;

    for (int i = 2; code == 0 && i < count; i++) {
        ssize_t size = send_message(stream, words[i]) == PARLEY_OK ? receive_message(stream, reply) : -1;
        code = size < 0;
        printf("%.*s\n", size > 0 ? (int)size : 0, reply);
    }
    if (code != 0)
        fprintf(stderr, "reqrep_client: no reply: %s\n", parley_error());
    parley_stream_hang_up(stream);
    return code;
}
