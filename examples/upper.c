/* Answers each line in capitals, and leaves at the line "end".
 *
 *     cc upper.c $(pkg-config --cflags --libs parley) -o upper && ./upper 9990
 *
 * TCP carries bytes, not messages: a line may come in three pieces, or three lines in one. With
 * .framing the library puts them together, and `received` is called once for each whole line, without
 * its end; parley_send() puts the end back on. */
#include <parley.h>
#include <string.h>

enum { LONGEST = 4096 };

static void received(parley_conn *conn, const void *bytes, size_t size)
{
    const char *line = bytes; /* lent for the call, and without a final NUL */
    char answer[LONGEST] = {0};

    for (size_t i = 0; i < size; i++) {
        /* Only a to z: toupper(3) would follow the locale and might break UTF-8. */
        answer[i] = line[i] >= 'a' && line[i] <= 'z' ? (char)(line[i] - 'a' + 'A') : line[i];
    }
    parley_send(conn, answer, size);
    if (size == 3 && memcmp(line, "end", 3) == 0)
        parley_finish(conn); /* the answer is still sent */
}

int main(int count, char **words)
{
    /* A longer line ends its connection, so `answer` can never overflow. */
    static const parley_handler upper =
        PARLEY_HANDLER(.name = "upper", .framing = "line max=4096", .received = received);

    return parley_serve(&upper, count > 1 ? words[1] : "9990", count > 2 ? words[2] : "iterative");
}
