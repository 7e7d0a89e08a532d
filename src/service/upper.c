#include "service/upper.h"

#include <stdlib.h>

#include "service/service.h"

/* Values of `matched` beyond the three letters. */
enum { WORD = 3, WORD_AND_RETURN = 4, ANOTHER_LINE = 5 };

/* Returns whether this byte completes the line "end". */
static bool match(struct upper *upper, char byte)
{
    static const char word[] = "end\r";
    bool complete;

    if (byte == '\n') {
        complete = upper->matched == WORD || upper->matched == WORD_AND_RETURN;
        upper->matched = 0;
        return complete;
    }
    if (upper->matched < WORD_AND_RETURN && byte == word[upper->matched])
        upper->matched++;
    else
        upper->matched = ANOTHER_LINE;
    return false;
}

size_t upper_convert(struct upper *upper, const char *bytes, size_t size, char *answer, bool *over)
{
    const bool fresh = upper->matched == 0;

    *over = false;
    for (size_t i = 0; i < size; i++) {
        answer[i] = bytes[i] >= 'a' && bytes[i] <= 'z' ? (char)(bytes[i] - 'a' + 'A') : bytes[i];
        if (match(upper, bytes[i])) {
            *over = true;
            return i + 1;
        }
    }
    *over = fresh && size == WORD && upper->matched == WORD;
    return size;
}

static void answer_message(parley_conn *conn, const void *bytes, size_t size, char *answer)
{
    const struct service_settings *settings = parley_user(conn);
    struct upper *upper = parley_state(conn);
    bool over;

    if (settings->framed)
        upper->matched = 0;
    size = upper_convert(upper, bytes, size, answer, &over);
    parley_send(conn, answer, size);
    if (over)
        parley_finish(conn);
}

/* A message is answered by one call, since the call adds the framing. */
static void upper_received(parley_conn *conn, const void *bytes, size_t size)
{
    char small[4096], *answer = size <= sizeof small ? small : malloc(size);

    parley_log_message(conn, "message", bytes, size);
    if (!answer) {
        parley_log(conn, "no memory for the answer");
        parley_abort(conn);
        return;
    }
    answer_message(conn, bytes, size, answer);
    if (answer != small)
        free(answer);
}

const parley_handler upper_handler =
    PARLEY_HANDLER(.name = "upper", .state_size = sizeof(struct upper), .received = upper_received);
