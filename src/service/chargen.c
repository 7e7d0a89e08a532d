#include <pthread.h>

#include "service/service.h"

/* RFC 864: lines of 72 of the 95 printing characters, each line beginning one character further on.
 * After 95 lines the pattern repeats. */
enum { CHARACTERS = 95, WIDTH = 72, LINE = WIDTH + 2, REPEATS = 9 };

static char pattern[REPEATS * CHARACTERS * LINE];

static void draw_pattern(void)
{
    char *next = pattern;

    for (int line = 0; line < REPEATS * CHARACTERS; line++) {
        for (int column = 0; column < WIDTH; column++)
            *next++ = (char)(' ' + (line + column) % CHARACTERS);
        *next++ = '\r';
        *next++ = '\n';
    }
}

static void chargen_produce(parley_conn *conn)
{
    parley_send(conn, pattern, sizeof pattern);
}

static void chargen_opened(parley_conn *conn)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, draw_pattern);
    chargen_produce(conn);
}

/* A client that only reads may have ended its own side: it goes on. */
static void chargen_ended(parley_conn *conn)
{
    (void)conn;
}

const parley_handler chargen_handler = PARLEY_HANDLER(.name = "chargen", .opened = chargen_opened,
                                                      .drained = chargen_produce, .ended = chargen_ended);
